namespace MiniVmm.Guest.Tests;

/// <summary>
/// Standard input, output or error closed by whoever starts MiniVmm: none of them becomes a file of the runtime's.
/// </summary>
public sealed class ClosedDescriptorTests
{
    [Theory]
    [InlineData("<&-", 0)]
    [InlineData(">&-", 1)]
    [InlineData("2>&-", 2)]
    [InlineData("<&- >&- 2>&-", 0, 1, 2)]
    public async Task A_closed_one_is_dev_null(string closed, params int[] descriptors)
    {
        using TemporaryFolder folder = new();

        // The CPU models are read early, from a file that is a pipe: it holds the process until the test has looked.
        string models = Path.Combine(folder.Path, "minivmm");
        Directory.CreateDirectory(models);
        (await MinivmmProcess.RunProgramAsync("mkfifo", Path.Combine(models, "cpu-models.json"))).With(0);
        using MinivmmProcess vmm = MinivmmProcess.StartProgram(
            "env", $"XDG_CONFIG_HOME={folder.Path}", "sh", "-c", $"exec \"$0\" run --cpu help {closed}", Built.MiniVmm);
        using (StreamWriter pipe = new(Path.Combine(models, "cpu-models.json"))) // opens once MiniVmm reads it
        {
            foreach (int fd in descriptors)
            {
                FileInfo file = new($"/proc/{vmm.Id}/fd/{fd}");
                Assert.Equal("/dev/null", file.LinkTarget);
            }

            pipe.Write("{\"models\": []}");
        }

        _ = (await vmm.EndAsync()).With(ExitStatus.Success);
    }

    [Theory]
    [InlineData("")]
    [InlineData("<&-")]
    [InlineData("<&- 2>&-")]
    public async Task It_starts_with_the_same_arguments_and_environment(string closed)
    {
        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "env", "XDG_CONFIG_HOME=/nowhere", "sh", "-c", $"\"$0\" \"$@\" {closed}",
            Built.MiniVmm, "run", "--append", "", "--cpu", "help");

        Assert.Contains("/nowhere/minivmm/cpu-models.json", run.With(ExitStatus.Success).Output);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("--version")]
    [InlineData("ps")]
    [InlineData("run", "--cpu", "help")]
    [InlineData("man")]
    public async Task Output_that_goes_nowhere_is_no_error(params string[] arguments)
    {
        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "sh", ["-c", "\"$0\" \"$@\" >&-", Built.MiniVmm, .. arguments]);

        Assert.Equal("", run.With(ExitStatus.Success).Errors);
    }

    [Fact]
    public async Task A_reader_that_goes_away_is_no_error()
    {
        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "bash", "-c", "\"$0\" man | head -n 1; exit ${PIPESTATUS[0]}", Built.MiniVmm);

        Assert.Equal("", run.With(ExitStatus.Success).Errors);
    }
}
