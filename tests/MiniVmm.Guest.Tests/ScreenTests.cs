namespace MiniVmm.Guest.Tests;

/// <summary>Kernels that print to a PC's text screen, as those of tutorials do.</summary>
public sealed class ScreenTests : IClassFixture<UsableKvm>
{
    [Fact]
    public async Task A_kernel_that_prints_to_the_text_screen_alone_is_seen_whatever_its_end()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest("screen.elf"));

        run.With(ExitStatus.Success);
        Assert.Equal("", run.Output);
        Assert.StartsWith(
            "minivmm: text screen at 0xb8000, at the end:\n  | Text at 0xb8000\n  | \n", run.Errors, StringComparison.Ordinal);
        Assert.EndsWith("  | ╔══╗ ░▒▓█\n  | ╚══╝\n  | screen: ok\n", run.Errors, StringComparison.Ordinal);
    }
}
