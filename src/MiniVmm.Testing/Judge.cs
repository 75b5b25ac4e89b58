using System.Globalization;
using MiniVmm.Execution;

namespace MiniVmm.Testing;

/// <summary>How a test's machine ended.</summary>
/// <param name="Reason">The machine's reason.</param>
/// <param name="ByText">Whether it was ended because the text was there that it was to run to.</param>
/// <param name="Crash">What a crash was, in a line; empty for none.</param>
internal readonly record struct TestEnd(StopReason Reason, bool ByText = false, string Crash = "")
{
    /// <summary>The exit status that <c>minivmm run</c> would have; null where it says nothing of the guest.</summary>
    public int? Status => Reason.Kind switch
    {
        StopKind.PowerOff or StopKind.Reset or StopKind.Halted => 0,
        StopKind.DebugExit => (int)(((Reason.Value << 1) | 1) & 0xff),
        StopKind.Crash => 6,
        StopKind.Timeout => 124,
        _ => null,
    };
}

/// <summary>
/// Decides what came of a test by what its guest printed and how it ended. Pure: bytes and an end in, a verdict out. A test
/// passes only where something shows that it did; a guest that says once that something failed has failed.
/// </summary>
internal sealed class Judge
{
    /// <summary>A debug exit of 77: kvm-unit-tests' and automake's value for a test that was skipped.</summary>
    private const int SkipStatus = (77 << 1) | 1;

    /// <summary>A debug exit of 0x10, which kernels in Rust use for success.</summary>
    private const int RustStatus = (0x10 << 1) | 1;

    private readonly Expectation _expected;
    private readonly TimeSpan _limit;
    private readonly GuestText _text;
    private readonly TapText _tap = new();
    private readonly CapturedText _captured = new();
    private readonly IReadOnlyList<string> _failuresExpected;
    private int _found; // expected texts, in their order
    private string? _panic;
    private string? _failure;
    private string? _skip;
    private bool _succeeded;
    private bool _reachedEnd;

    /// <param name="expected">What the test is to do.</param>
    /// <param name="limit">How long it may run.</param>
    public Judge(Expectation expected, TimeSpan limit)
    {
        _expected = expected;
        _limit = limit;
        _text = new GuestText(Take);
        _failuresExpected = [.. expected.Texts.Append(expected.Until ?? "").Where(NamesFailure)];
    }

    /// <summary>Whether the text is there that the machine was to run to.</summary>
    public bool HasReachedEnd => _reachedEnd
        || (_expected.Until is { } end && _text.Unfinished.Contains(end, StringComparison.Ordinal));

    /// <summary>What the guest printed, for people.</summary>
    public string Output => _captured.ToString();

    /// <summary>Takes the next bytes of the console, however they are split.</summary>
    public void Take(ReadOnlySpan<byte> bytes) => _text.Take(bytes);

    /// <summary>Takes what is on a text screen in the end, where some of it was printed nowhere else.</summary>
    public void TakeScreen(IEnumerable<string> lines)
    {
        _text.End();
        foreach (string line in lines)
            Take(line, 0);
    }

    /// <summary>Decides; nothing follows.</summary>
    public Judgement Decide(TestEnd end)
    {
        _text.End();
        _tap.End();
        Judgement judgement = DecideAsIs(end);
        if (_expected.KnownFailure is not { } known || !judgement.Verdict.IsOfGuest())
            return judgement;
        return judgement.Verdict == Verdict.Pass
            ? new(Verdict.UnexpectedPass, $"passed, though it is known to fail ({known}): {judgement.Reason}")
            : new(Verdict.ExpectedFailure, $"{known}: {judgement.Reason}");
    }

    private Judgement DecideAsIs(TestEnd end)
    {
        if (end.Reason.IsHostLimit)
            return new(Verdict.HostError, end.Crash.Length > 0 ? end.Crash : "the host ran out of memory or room for it");
        if (end.Reason.Kind == StopKind.OutputClosed || (end.Reason.Kind == StopKind.Interrupted && !end.ByText))
            return new(Verdict.NotRun, "interrupted");
        if (_panic is not null)
            return new(Verdict.Panic, $"{Quote(_panic)}; {Describe(end)}");
        if (end.Reason.Kind == StopKind.Crash && _expected.Exit != end.Status)
            return new(Verdict.Crash, end.Crash.Length > 0 ? end.Crash : Describe(end));
        if (end.Reason.Kind == StopKind.Timeout && _expected.Exit != end.Status)
            return new(Verdict.Timeout, DescribeTimeout());
        if ((_failure ?? _tap.Failure) is { } failure)
            return new(Verdict.Fail, $"{Quote(failure)}; {Describe(end)}");
        return DecideByEnd(end) ?? DecideByText(end);
    }

    /// <summary>Null where the end is a good one.</summary>
    private Judgement? DecideByEnd(TestEnd end)
    {
        if (end.ByText || HasReachedEnd)
            return null; // the guest may have ended by itself before it was ended
        if (_expected.Until is { } text)
            return new(EmptyOr(Verdict.Fail), $"{Describe(end)} before it printed {Quote(text)}");
        if (_expected.Exit is { } wanted)
            return end.Status == wanted ? null : new(Verdict.Fail, $"{Describe(end)}, not status {wanted}");
        return (end.Reason.Kind, end.Status) switch
        {
            (StopKind.PowerOff, _) or (StopKind.DebugExit, 1) => null,
            (StopKind.Reset, _) when _expected.Texts.Count > 0 => null, // they decide
            (StopKind.DebugExit, SkipStatus) => Skipped(_skip ?? "a debug exit of 77"),
            (StopKind.DebugExit, RustStatus) =>
                new(Verdict.Fail, $"{Describe(end)}; if that is success for this kernel, expect exit {RustStatus}"),
            (StopKind.Reset, _) => new(
                EmptyOr(Verdict.Fail), $"{Describe(end)}; if that is its good end, expect a text, or exit 0"),
            _ => new(Verdict.Fail, Describe(end)),
        };
    }

    /// <summary>The end was a good one.</summary>
    private Judgement DecideByText(TestEnd end)
    {
        if (_tap.Problem is { } problem)
            return new(Verdict.Fail, $"{problem}; {Describe(end)}");
        if (_tap.IsPlannedEmpty || (_tap.Results > 0 && _tap.Skipped == _tap.Results))
            return Skipped(_skip ?? "TAP of skipped tests alone");
        bool proven = _expected.Texts.Count > 0 && IsComplete;
        if (_skip is not null && !_succeeded && !proven && _tap.Results == 0)
            return Skipped(_skip);
        if (!IsComplete)
            return new(EmptyOr(Verdict.Fail), $"{Describe(end)} before it printed {Quote(_expected.Texts[_found])}");
        if (!_captured.HasText && _expected.Exit is null && !end.ByText)
            return new(Verdict.Empty, $"{Describe(end)}, and printed nothing");
        return new(Verdict.Pass, Describe(end));
    }

    private bool IsComplete => _found == _expected.Texts.Count;

    private Verdict EmptyOr(Verdict verdict) => _captured.HasText ? verdict : Verdict.Empty;

    private Judgement Skipped(string why) =>
        new(_expected.MaySkip ? Verdict.Skip : Verdict.SkippedItself, $"skipped itself: {Shortened(why)}");

    private string DescribeTimeout()
    {
        string seconds = _limit.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);
        string state = (_failure ?? _tap.Failure, _captured.HasText) switch
        {
            (string failure, _) => $"it had printed {Quote(failure)}",
            (_, false) => "it printed nothing",
            _ when !IsComplete => $"it had not printed {Quote(_expected.Texts[_found])}; last line {Quote(_captured.LastLine)}",
            _ when _expected.Texts.Count > 0 && _expected.Until is null =>
                "it printed what was expected, and did not power off; if it is not to, run it until a text",
            _ => $"last line {Quote(_captured.LastLine)}",
        };
        return $"still ran after {seconds} s; {state}";
    }

    private static string Describe(TestEnd end) => end switch
    {
        { ByText: true } => "ran to the text",
        { Reason.Kind: StopKind.PowerOff } => "powered off",
        { Reason.Kind: StopKind.Reset } => "rebooted",
        { Reason.Kind: StopKind.DebugExit } => $"wrote {end.Reason.Value} to the debug exit (status {end.Status})",
        { Reason.Kind: StopKind.Crash } => "crashed (status 6)",
        { Reason.Kind: StopKind.Timeout } => "ran until its time was out",
        _ => $"ended ({end.Reason.Kind})",
    };

    private static string Quote(string line) => $"\"{Shortened(line)}\"";

    private static string Shortened(string line)
    {
        const int most = 160;
        string text = line.Trim();
        return text.Length <= most ? text : $"{text[..most].TrimEnd()}…";
    }

    private void Take(GuestLine line)
    {
        _captured.Add(line.Text[line.Seen..]);
        if (line.IsStart)
            _tap.Take(line.Text, isExcused: Allows(line.Text) || WithoutExpected(line.Text) != line.Text);
        Read(line.Text, line.Seen);
    }

    private void Take(string screenLine, int seen)
    {
        _captured.Add(screenLine);
        Read(screenLine, seen);
    }

    private void Read(string line, int seen)
    {
        FindExpected(line, seen);
        _reachedEnd |= _expected.Until is { } end && line.Contains(end, StringComparison.Ordinal);
        LineMeaning meaning = FailureText.Of(line);
        if (meaning is LineMeaning.Panic or LineMeaning.Failure)
            meaning = Allows(line) ? LineMeaning.None : FailureText.Of(WithoutExpected(line));
        switch (meaning)
        {
            case LineMeaning.Panic:
                _panic ??= line;
                break;
            case LineMeaning.Failure:
                _failure ??= line;
                break;
            case LineMeaning.Skip:
                _skip ??= LogLine.Message(line).ToString();
                break;
            case LineMeaning.Success:
                _succeeded = true;
                break;
        }
    }

    /// <summary>A line without the texts that are expected and name a failure: what is expected is none.</summary>
    private string WithoutExpected(string line)
    {
        foreach (string text in _failuresExpected)
            line = line.Replace(text, " ", StringComparison.Ordinal);
        return line;
    }

    /// <summary>Looks for the next of the expected texts, beyond what the piece before had.</summary>
    private void FindExpected(string line, int seen)
    {
        int from = 0;
        while (!IsComplete)
        {
            string wanted = _expected.Texts[_found];
            int at = line.IndexOf(wanted, from, StringComparison.Ordinal);
            if (at < 0)
                return;
            from = at + wanted.Length;
            if (from > seen)
                _found++;
        }
    }

    private bool Allows(string line) => _expected.Allowed.Any(text => line.Contains(text, StringComparison.Ordinal));

    /// <summary>Whether a text by itself says that something is wrong.</summary>
    private static bool NamesFailure(string text) =>
        FailureText.Of(text) is LineMeaning.Panic or LineMeaning.Failure || text.Contains("not ok", StringComparison.Ordinal);
}
