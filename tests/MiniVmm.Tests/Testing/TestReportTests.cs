using System.Text;
using System.Text.Json;
using System.Xml;
using System.Xml.Schema;
using CsCheck;
using MiniVmm.Testing;
using TestResult = MiniVmm.Testing.TestResult;

namespace MiniVmm.Tests.Testing;

public sealed class TestReportTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 30, 12, 0, 0, TimeSpan.Zero);

    /// <summary>Letters, control characters, halves of surrogate pairs, what XML cannot write.</summary>
    private static readonly Gen<string> Texts = Gen.OneOf(Gen.String, Gen.Int[0, 0xffff].Array[0, 30].Select(
        letters => string.Concat(letters.Select(letter => letter < 0x8000 ? (char)(letter & 0xff) : (char)letter))));

    private static readonly Gen<TestReport> Reports =
        Gen.Select(
            Gen.Select(Texts, Gen.Enum<Verdict>(), Texts, Texts, Gen.Int[0, 100_000]).List[0, 8],
            Gen.Bool,
            Texts.Array[0, 2],
            (results, sharded, problems) => Report([.. results.Select((row, i) => new TestResult($"{i}/{row.Item1}", row.Item2, row.Item3)
            {
                Output = row.Item4,
                Report = row.Item3,
                Duration = TimeSpan.FromMilliseconds(row.Item5),
            })]) with
            {
                Shard = sharded ? new Shard(2, 4) : null,
                Problems = problems,
            });

    [Theory]
    [InlineData("pass", true)]
    [InlineData("pass pass", true)]
    [InlineData("pass skip", true)]
    [InlineData("pass xfail", true)]
    [InlineData("", false)]
    [InlineData("skip", false)]
    [InlineData("xfail", false)]
    [InlineData("skip xfail", false)]
    [InlineData("pass fail", false)]
    [InlineData("pass panic", false)]
    [InlineData("pass crash", false)]
    [InlineData("pass timeout", false)]
    [InlineData("pass empty", false)]
    [InlineData("pass skipped-itself", false)]
    [InlineData("pass xpass", false)]
    [InlineData("pass error", false)]
    [InlineData("pass host-error", false)]
    [InlineData("pass not-run", false)]
    public void It_is_green_only_if_something_passed_and_nothing_went_wrong(string verdicts, bool green)
    {
        TestReport report = Report([.. verdicts.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select((word, i) =>
            new TestResult($"t{i}", Verdicts.TryParse(word, out Verdict verdict) ? verdict : throw new FormatException(word), ""))]);

        Assert.Equal(green, report.IsGreen);
        Assert.Equal(green, report.Reasons.Count == 0);
        Assert.False((report with { Problems = ["shard 2 is missing"] }).IsGreen);
    }

    [Fact]
    public void Every_verdict_has_a_word_of_its_own()
    {
        Verdict[] all = Enum.GetValues<Verdict>();

        Assert.Equal(all.Length, all.Select(verdict => verdict.Word()).Distinct().Count());
        Assert.All(all, verdict => Assert.True(Verdicts.TryParse(verdict.Word(), out Verdict read) && read == verdict));
        Assert.False(Verdicts.TryParse("green", out _));
    }

    [Fact]
    public void Json_holds_all_of_it() => Reports.Sample(report =>
    {
        TestReport read = ReportJson.Read(Json(report), "r.json");
        Assert.Equal((report.Suite, report.Shard, report.IsGreen), (read.Suite, read.Shard, read.IsGreen));
        Assert.Equal(report.Problems.Select(Whole), read.Problems);
        Assert.Equal(
            report.Results.Select(result => result with
            {
                Name = Whole(result.Name),
                Reason = Whole(result.Reason),
                Output = Whole(result.Output),
                Report = Whole(result.Report),
            }),
            read.Results);
    });

    [Fact]
    public void Any_file_is_results_or_an_error_in_words()
    {
        byte[] good = Json(Report([new("a", Verdict.Pass, "powered off"), new("b", Verdict.Fail, "x")]) with { Shard = new Shard(1, 2) });
        _ = ReportJson.Read(good, "r.json");

        Gen.Byte.Array[0, 200].Sample(IsReadOrRefused);
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Int[0, 20], Gen.Byte.Array[0, 4]).Sample((at, cut, put) =>
            IsReadOrRefused([.. good[..at], .. put, .. good[Math.Min(at + cut, good.Length)..]]));
    }

    [Fact]
    public void JUnit_is_valid_whatever_guests_print() => Reports.Sample(report =>
    {
        XmlDocument document = Validated(report);
        XmlElement suite = (XmlElement)document.DocumentElement!.FirstChild!;
        return suite.GetElementsByTagName("testcase").Count == int.Parse(suite.GetAttribute("tests"))
            && suite.GetElementsByTagName("failure").Count == int.Parse(suite.GetAttribute("failures"))
            && suite.GetElementsByTagName("error").Count == int.Parse(suite.GetAttribute("errors"))
            && suite.GetElementsByTagName("skipped").Count == int.Parse(suite.GetAttribute("skipped"))
            && report.IsGreen == (suite.GetAttribute("failures") == "0" && suite.GetAttribute("errors") == "0");
    });

    [Fact]
    public void JUnit_holds_what_a_merge_needs() => Reports.Sample(report =>
    {
        TestReport read = JUnitReader.Read(JUnit(report), "r.xml");

        Assert.Equal((report.Suite, report.Shard, report.IsGreen, report.Started, report.Duration), (read.Suite, read.Shard, read.IsGreen, read.Started, read.Duration));
        Assert.Equal(report.Results.Select(result => (result.Verdict, result.Duration)), read.Results.Select(result => (result.Verdict, result.Duration)));
        Assert.Equal(
            report.Results.Select(result => result.Verdict == Verdict.Pass ? "" : AsXml(result.Reason)),
            read.Results.Select(result => result.Reason));
        return report.Problems.Count > 0 == read.Problems.Count > 0;
    });

    [Fact]
    public void JUnit_keeps_names_and_output()
    {
        TestReport report = Report([new("a b/c&d.elf", Verdict.Fail, "\"no\"") { Output = "<x>\r\n\ty ]]> ✓\n" }, new("e.elf", Verdict.Pass, "powered off")]);

        TestReport read = JUnitReader.Read(JUnit(report), "r.xml");

        Assert.Equal(["a b/c&d.elf", "e.elf"], read.Results.Select(result => result.Name));
        Assert.Equal("<x>\r\n\ty ]]> ✓\n", read.Results[0].Output);
    }

    [Fact]
    public void JUnit_formatted_anew_by_another_tool_is_read()
    {
        TestReport report = Report([new("a/b.elf", Verdict.Crash, "vCPU 0 < 1") { Output = "x" }, new("c.elf", Verdict.Skip, "later")]) with { Shard = new Shard(1, 3) };
        XmlDocument document = Validated(report);
        document.InsertBefore(document.CreateComment("<not a tag>"), document.DocumentElement);
        using StringWriter writer = new();
        using (XmlWriter xml = XmlWriter.Create(writer, new XmlWriterSettings { Indent = true }))
            document.Save(xml);

        TestReport read = JUnitReader.Read(writer.ToString().Replace("UTF-16", "utf-8", StringComparison.OrdinalIgnoreCase), "r.xml");

        Assert.Equal([("a/b.elf", Verdict.Crash, "vCPU 0 < 1"), ("c.elf", Verdict.Skip, "later")], read.Results.Select(result => (result.Name, result.Verdict, result.Reason)));
        Assert.Equal(new Shard(1, 3), read.Shard);
    }

    [Theory]
    [InlineData("<", "line 1: a name is missing")]
    [InlineData("<testsuites>", "line 1: <testsuites> does not end")]
    [InlineData("<a>\n</b>", "line 2: </b> ends nothing")]
    [InlineData("<a b='1' b='2'/>", "<a> has b twice")]
    [InlineData("<a b=1/>", "line 1: b without quotes")]
    [InlineData("<a b='&nbsp;'/>", "line 1: &nbsp; is not known")]
    [InlineData("<a b='&#xd800;'/>", "line 1: a number that is no letter's")]
    [InlineData("<a/>", "no testsuite")]
    [InlineData("<testsuites><testsuite name=\"junit of others\" tests=\"1\"></testsuite></testsuites>", "no property minivmm.verdicts")]
    public void Other_XML_is_refused(string xml, string problem) =>
        Assert.Equal($"r.xml: not results of minivmm test: {problem}", Assert.Throws<BadInputException>(() => JUnitReader.Read(xml, "r.xml")).Message);

    [Fact]
    public void Any_XML_is_results_or_an_error_in_words()
    {
        string good = JUnit(Report([new("a", Verdict.Pass, "powered off"), new("b", Verdict.Fail, "x") { Output = "y" }]) with { Shard = new Shard(1, 2) });
        string[] pieces = ["<", ">", "/", "\"", "=", " ", "&", ";", "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "testcase", "&#", "\n"];

        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Int[0, 30], Gen.Int[0, pieces.Length - 1].Array[0, 4]).Sample((at, cut, put) =>
        {
            try
            {
                _ = JUnitReader.Read(good[..at] + string.Concat(put.Select(piece => pieces[piece])) + good[Math.Min(at + cut, good.Length)..], "r.xml");
                return true;
            }
            catch (BadInputException e)
            {
                return e.Message.StartsWith("r.xml: ", StringComparison.Ordinal);
            }
        });
    }

    [Fact]
    public void JUnit_has_the_output_of_what_failed()
    {
        XmlDocument document = Validated(Report(
        [
            new("suite/a.elf", Verdict.Pass, "powered off"),
            new("suite/b.elf", Verdict.Crash, "vCPU 0: triple fault") { Output = "a < b & \u001b[31m\0]]>\ud800\uffff\n", Report = "rip = 0x100000" },
            new("suite/c.elf", Verdict.SkippedItself, "skipped itself: SKIP"),
            new("suite/d.elf", Verdict.Skip, "later"),
        ]));

        XmlNode failure = document.SelectSingleNode("//testcase[@name='b.elf' and @classname='suite']/failure")!;
        Assert.Equal(("crash", "vCPU 0: triple fault"), (failure.Attributes!["type"]!.Value, failure.Attributes["message"]!.Value));
        Assert.Equal("vCPU 0: triple fault\n\na < b & \ufffd[31m\ufffd]]>\ufffd\ufffd\n\n\nrip = 0x100000", failure.InnerText);
        Assert.NotNull(document.SelectSingleNode("//testcase[@name='a.elf' and not(*)]"));
        Assert.NotNull(document.SelectSingleNode("//testcase[@name='c.elf']/failure[@type='skipped-itself']"));
        Assert.NotNull(document.SelectSingleNode("//testcase[@name='d.elf']/skipped[@message='later']"));
    }

    [Fact]
    public void JUnit_shows_a_run_of_nothing_as_a_test_in_error()
    {
        XmlDocument document = Validated(Report([]) with { Problems = ["nothing ran: there is no file"] });

        Assert.Equal(
            "nothing ran: there is no file",
            document.SelectSingleNode("//testcase[@name='(run)']/error")!.Attributes!["message"]!.Value);
        Assert.Contains("nothing passed", Validated(Report([new("a", Verdict.Skip, "later")])).OuterXml, StringComparison.Ordinal);
    }

    [Fact]
    public void The_check_finds_what_is_not_valid()
    {
        string good = JUnit(Report([new("a", Verdict.Fail, "x")]));
        Assert.Throws<XmlSchemaValidationException>(() => Validate(good.Replace("<failure", "<failed").Replace("</failure", "</failed")));
        Assert.Throws<XmlSchemaValidationException>(() => Validate(good.Replace(" hostname=", " host=")));
        Assert.Throws<XmlException>(() => Validate(good.Replace("message=\"x\"", "message=\"\u0001\"")));
    }

    internal static TestReport Report(IReadOnlyList<TestResult> results) =>
        new(Suite.Of(results.Select(result => result.Name)), results) { Started = Noon, Duration = TimeSpan.FromSeconds(1.5) };

    internal static byte[] Json(TestReport report)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream))
            ReportJson.Write(writer, report);
        return stream.ToArray();
    }

    private static bool IsReadOrRefused(byte[] json)
    {
        try
        {
            _ = ReportJson.Read(json, "r.json");
            return true;
        }
        catch (BadInputException e)
        {
            return e.Message.StartsWith("r.json: ", StringComparison.Ordinal);
        }
    }

    private static XmlDocument Validated(TestReport report) => Validate(JUnit(report));

    private static string JUnit(TestReport report)
    {
        using StringWriter writer = new();
        JUnitWriter.Write(writer, report);
        return writer.ToString();
    }

    private static XmlDocument Validate(string xml)
    {
        XmlReaderSettings settings = new() { ValidationType = ValidationType.Schema };
        using (XmlReader schema = XmlReader.Create(DocumentationPages.FullPath("tests/MiniVmm.Tests/Testing/junit.xsd")))
            settings.Schemas.Add(null, schema);
        settings.ValidationFlags |= XmlSchemaValidationFlags.ReportValidationWarnings;
        settings.ValidationEventHandler += (_, problem) => throw problem.Exception;
        XmlDocument document = new();
        using XmlReader reader = XmlReader.Create(new StringReader(xml), settings);
        document.Load(reader);
        return document;
    }

    /// <summary>As XML has it.</summary>
    private static string AsXml(string text) => string.Concat(text.EnumerateRunes().Select(letter =>
        letter.Value is (< 0x20 and not ('\t' or '\n' or '\r')) or 0xfffe or 0xffff ? "\ufffd" : letter.ToString()));

    /// <summary>As UTF-8 has it: halves of surrogate pairs are replaced.</summary>
    private static string Whole(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
