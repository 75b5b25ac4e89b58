namespace MiniVmm.Guest.Tests;

/// <summary>What the course shows is what its readers get: sources as they are in the files, transcripts as commands print them.</summary>
public sealed class CourseTests : IClassFixture<UsableKvm>
{
    public static TheoryData<string> Lessons => [.. CoursePage.Lessons];

    [Theory]
    [MemberData(nameof(Lessons))]
    public async Task Its_commands_print_what_the_lesson_shows(string lesson)
    {
        (string Command, string[] Answer)[][] transcripts = [.. new CoursePage(lesson).Transcripts];
        Assert.NotEmpty(transcripts);

        foreach ((string Command, string[] Answer)[] transcript in transcripts)
        {
            string[] printed = await CoursePage.RunAsync(transcript.Select(step => step.Command));
            for (int i = 0; i < transcript.Length; i++)
            {
                string? missing = CoursePage.Missing(transcript[i].Answer, printed[i].Length == 0 ? [] : CoursePage.Lines(printed[i]));
                Assert.True(missing is null, $"$ {transcript[i].Command}\nwas to print: {missing}\n--- whole:\n{printed[i]}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Lessons))]
    public void Its_sources_are_what_the_files_hold(string lesson)
    {
        (string File, string Shown)[] sources = [.. new CoursePage(lesson).Sources];
        Assert.NotEmpty(sources);

        foreach ((string file, string shown) in sources)
            Assert.Contains(shown, File.ReadAllText(Path.Combine(Built.Root, file)), StringComparison.Ordinal);
    }

    [Fact]
    public void Each_guest_is_shown_and_each_lesson_is_in_the_list()
    {
        string list = File.ReadAllText(Path.Combine(CoursePage.Folder, "README.md"));
        string[] shown = [.. CoursePage.Lessons.SelectMany(lesson => new CoursePage(lesson).Sources).Select(source => source.File)];

        Assert.All(CoursePage.Lessons, lesson => Assert.Contains($"({lesson})", list, StringComparison.Ordinal));
        Assert.All(
            Directory.GetFiles(Path.Combine(Built.Root, "guest-images", "course")).Select(file => $"guest-images/course/{Path.GetFileName(file)}"),
            file => Assert.Contains(file, shown));
    }

    [Fact]
    public async Task The_monitor_grows_to_the_sample_and_its_steps_are_built_as_the_page_has_them()
    {
        string script = Path.Combine(Built.Root, "samples", "tiny-vmm-step");
        string[] steps = (await MinivmmProcess.RunProgramAsync("bash", script)).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"], steps);

        foreach (string step in steps)
        {
            string program = (await MinivmmProcess.RunProgramAsync("bash", script, step)).Output;
            Assert.Equal(program, File.ReadAllText(Path.Combine(Built.Root, "out", "samples", "steps", $"{step}.cs")));
            if (step == "8") // the last but for the exercises
                Assert.Equal(program, File.ReadAllText(Path.Combine(Built.Root, "samples", "tiny-vmm", "Program.cs")));
        }
    }

    [Theory]
    [InlineData("a|b", "a|b", true)]
    [InlineData("a|…|c", "a|b|b|c", true)]
    [InlineData("a … c", "a 12 c", true)]
    [InlineData("…|c", "c", true)]
    [InlineData("a|b", "a", false)]
    [InlineData("a", "a|b", false)]
    [InlineData("a|…|d", "a|b|c", false)]
    [InlineData("a.c", "abc", false)]
    [InlineData("", "a", false)]
    public void A_transcript_that_differs_is_found(string expected, string printed, bool same) => Assert.Equal(
        same,
        CoursePage.Missing(expected.Split('|', StringSplitOptions.RemoveEmptyEntries), printed.Split('|', StringSplitOptions.RemoveEmptyEntries)) is null);
}
