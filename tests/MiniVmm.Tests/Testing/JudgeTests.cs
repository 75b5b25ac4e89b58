using System.Text;
using CsCheck;
using MiniVmm.Execution;
using MiniVmm.Testing;

namespace MiniVmm.Tests.Testing;

/// <summary>Bytes and an end in, a verdict out.</summary>
public sealed class JudgeTests
{
    public static TheoryData<int> Cases => [.. Enumerable.Range(0, JudgeCases.All.Count)];

    [Fact]
    public void There_are_200_cases_of_every_kind()
    {
        Assert.True(JudgeCases.All.Count >= 200, $"{JudgeCases.All.Count} cases");
        Assert.Empty(Enum.GetValues<Verdict>().Except(JudgeCases.All.Select(judged => judged.Verdict)).Except([Verdict.Error]));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Each_case_is_judged_rightly(int number)
    {
        JudgeCase judged = JudgeCases.All[number];

        Judgement judgement = Decide(judged, [Encoding.UTF8.GetBytes(judged.Text)]);

        Assert.True(judged.Verdict == judgement.Verdict, $"{judged}\nwas judged {judgement}");
        Assert.True(judgement.Reason.Length is > 0 and < 500 && !judgement.Reason.Contains('\n'), judgement.Reason);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Each_is_judged_the_same_however_its_bytes_are_split(int number)
    {
        JudgeCase judged = JudgeCases.All[number];
        byte[] text = Encoding.UTF8.GetBytes(judged.Text);
        Judgement whole = Decide(judged, [text]);

        Assert.Equal(whole, Decide(judged, text.Select(letter => new[] { letter })));
        Random random = new(number);
        for (int round = 0; round < 5; round++)
            Assert.Equal(whole, Decide(judged, Split(text, random)));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Each_is_judged_the_same_with_carriage_returns_and_colours(int number)
    {
        JudgeCase judged = JudgeCases.All[number];
        if (judged.Text.Contains('\r') || judged.Text.Contains('\u001b'))
            return; // they are about these themselves
        string colored = judged.Text.Replace("o", "\u001b[1;31mo\u001b[0m", StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal);

        Assert.Equal(judged.Verdict, Decide(judged, [Encoding.UTF8.GetBytes(colored)]).Verdict);
    }

    [Fact]
    public void A_failure_is_never_taken_back_by_what_follows() =>
        Gen.Select(Gen.Int[0, JudgeCases.All.Count - 1], Gen.String).Sample((number, more) =>
        {
            JudgeCase judged = JudgeCases.All[number];
            if (judged.Verdict is not (Verdict.Fail or Verdict.Panic) || judged.Keys.Length > 0 || judged.End.Reason.Kind != StopKind.PowerOff)
                return true;
            byte[] text = Encoding.UTF8.GetBytes($"{judged.Text}\n{more}");
            return Decide(judged, [text]).Verdict is Verdict.Fail or Verdict.Panic;
        });

    [Fact]
    public void Any_bytes_at_all_are_judged() =>
        Gen.Select(Gen.Byte.Array[0, 2000], Gen.Int[0, JudgeCases.All.Count - 1]).Sample((text, number) =>
        {
            Judgement judgement = Decide(JudgeCases.All[number], [text]);
            return judgement.Reason.Length > 0 && !judgement.Reason.Any(letter => char.IsControl(letter) && letter != '\t');
        });

    [Theory]
    [InlineData("", "powered off, and printed nothing")]
    [InlineData("starting\n", "powered off before it printed \"all is well\"", "expect: all is well")]
    [InlineData("check 2: FAILED\n", "\"check 2: FAILED\"; powered off")]
    [InlineData("1..3\nok 1\nok 2\n", "TAP's plan is of 3 tests, and 2 had a result; powered off")]
    [InlineData("SKIP: no disk\n", "skipped itself: SKIP: no disk")]
    public void The_reason_says_what_was_seen(string text, string reason, string keys = "") =>
        Assert.Equal(reason, Decide(new(default, text, new(new(StopKind.PowerOff)), keys), [Encoding.UTF8.GetBytes(text)]).Reason);

    [Theory]
    [InlineData(0x10u, "wrote 16 to the debug exit (status 33); if that is success for this kernel, expect exit 33")]
    [InlineData(1u, "wrote 1 to the debug exit (status 3)")]
    public void A_debug_exit_is_named_by_value_and_status(uint value, string reason) =>
        Assert.Equal(reason, Decide(new(default, "x", new(new(StopKind.DebugExit, value))), ["x"u8.ToArray()]).Reason);

    [Theory]
    [InlineData("", "rebooted before it printed \"ok\"", "expect: ok")]
    [InlineData("booting\n", "rebooted before it printed \"ok\"", "expect: ok")]
    [InlineData("booting\n", "rebooted; if that is its good end, expect a text, or exit 0")]
    public void A_reboot_says_what_was_missing(string text, string reason, string keys = "") =>
        Assert.Equal(reason, Decide(new(default, text, new(new(StopKind.Reset)), keys), [Encoding.UTF8.GetBytes(text)]).Reason);

    [Theory]
    [InlineData("hello: ok\n", "still ran after 60 s; it printed what was expected, and did not power off; if it is not to, run it until a text", "expect: ok")]
    [InlineData("hello\n\n", "still ran after 60 s; last line \"hello\"")]
    [InlineData("", "still ran after 60 s; it printed nothing")]
    [InlineData("hello\n", "still ran after 60 s; it had not printed \"ok\"; last line \"hello\"", "expect: ok")]
    public void A_hang_says_how_far_it_came(string text, string reason, string keys = "") =>
        Assert.Equal(reason, Decide(new(default, text, new(new(StopKind.Timeout)), keys), [Encoding.UTF8.GetBytes(text)]).Reason);

    [Fact]
    public void The_text_to_run_to_is_seen_before_its_line_ends()
    {
        Judge judge = new(new Expectation { Until = "login:" }, TestCase.DefaultTimeout);

        judge.Take("booted\nlog"u8);
        Assert.False(judge.HasReachedEnd);
        judge.Take("in: "u8);
        Assert.True(judge.HasReachedEnd);
    }

    /// <summary>Text and end come by different ways: which is first is chance.</summary>
    [Theory]
    [InlineData(StopKind.Interrupted, true)]
    [InlineData(StopKind.PowerOff, false)]
    [InlineData(StopKind.Reset, false)]
    [InlineData(StopKind.DebugExit, false)]
    public void A_guest_that_ends_right_behind_the_text_to_run_to_has_passed(StopKind end, bool byText)
    {
        Judge judge = new(new Expectation { Until = "all passed" }, TestCase.DefaultTimeout);
        judge.Take("all passed"u8);

        Assert.Equal(Verdict.Pass, judge.Decide(new(new(end), byText)).Verdict);
    }

    [Fact]
    public void A_screen_counts_as_the_console_does()
    {
        Judge judge = new(new Expectation { Texts = ["all is well"] }, TestCase.DefaultTimeout);
        judge.Take("booting"u8);
        judge.TakeScreen(["all is well"]);
        Assert.Equal(Verdict.Pass, judge.Decide(new(new(StopKind.PowerOff))).Verdict);
        Assert.Equal("booting\nall is well\n", judge.Output);

        judge = new(new Expectation(), TestCase.DefaultTimeout);
        judge.TakeScreen(["panic: no console"]);
        Assert.Equal(Verdict.Panic, judge.Decide(new(new(StopKind.PowerOff))).Verdict);
    }

    [Fact]
    public void Output_without_end_is_kept_in_part()
    {
        Judge judge = new(new Expectation { Texts = ["line 70,000"] }, TestCase.DefaultTimeout);
        for (int i = 0; i < 100_000; i++)
            judge.Take(Encoding.UTF8.GetBytes($"line {i:N0} of many\n"));

        Assert.Equal(Verdict.Pass, judge.Decide(new(new(StopKind.PowerOff))).Verdict);
        Assert.InRange(judge.Output.Length, 100_000, CapturedText.MostFirst + CapturedText.MostLast + 100);
        Assert.StartsWith("line 0 of many\n", judge.Output, StringComparison.Ordinal);
        Assert.EndsWith("line 99,999 of many\n", judge.Output, StringComparison.Ordinal);
        Assert.Contains(" lines left out]\n", judge.Output, StringComparison.Ordinal);
    }

    private static Judgement Decide(JudgeCase judged, IEnumerable<byte[]> reads)
    {
        TestCase test = TestComment.Read(new() { Name = "x" }, judged.Keys, "x.test");
        Judge judge = new(test.Expected, test.Timeout);
        foreach (byte[] read in reads)
            judge.Take(read);
        return judge.Decide(judged.End);
    }

    private static IEnumerable<byte[]> Split(byte[] text, Random random)
    {
        for (int at = 0; at < text.Length;)
        {
            int length = Math.Min(random.Next(1, 1 + text.Length / 4 + 4), text.Length - at);
            yield return text[at..(at + length)];
            at += length;
        }
    }
}
