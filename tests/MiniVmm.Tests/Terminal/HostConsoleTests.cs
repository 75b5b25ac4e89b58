using MiniVmm.Execution;
using MiniVmm.Terminal;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Terminal;

public sealed class HostConsoleTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("minivmm-test-").FullName;
    private readonly Lifecycle _lifecycle = new();

    public void Dispose()
    {
        _lifecycle.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public void A_file_is_written_anew_and_whole_once_the_console_is_disposed()
    {
        string path = Path.Combine(_directory, "log");
        File.WriteAllText(path, "something older and longer");

        using (HostConsole console = Open(ConsoleKind.File, path))
        {
            foreach (byte value in "boot\n"u8)
                console.Sink.Write(value);
        }

        Assert.Equal("boot\n", File.ReadAllText(path));
        Assert.False(_lifecycle.IsStopping);
    }

    [Fact]
    public void A_file_that_cannot_be_written_is_refused()
    {
        string message =
            Assert.Throws<BadInputException>(() => Open(ConsoleKind.File, _directory)).OnCommandLine();

        Assert.StartsWith($"--console {_directory}: cannot be written", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_console_text_goes_nowhere()
    {
        using HostConsole console = Open(ConsoleKind.None, null);

        console.Sink.Write((byte)'x');

        Assert.False(_lifecycle.IsStopping);
    }

    [Theory]
    [InlineData(DebugConsoleKind.Auto, "once\nonly here\n", "")]
    [InlineData(DebugConsoleKind.None, "once\n", "")]
    [InlineData(DebugConsoleKind.File, "once\n", "once\nonly here\n")]
    public void Port_0xe9s_text_goes_where_it_is_told(DebugConsoleKind kind, string text, string debug)
    {
        string path = Path.Combine(_directory, "log");
        string debugPath = Path.Combine(_directory, "debug");
        File.WriteAllText(debugPath, "");

        using (HostConsole console = Open(ConsoleKind.File, path, kind, debugPath))
        {
            foreach (byte value in "once\n"u8)
            {
                console.SerialSink.Write(value);
                console.DebugSink.Write(value);
            }

            foreach (byte value in "only here\n"u8)
                console.DebugSink.Write(value);
        }

        Assert.Equal(text, File.ReadAllText(path));
        Assert.Equal(debug, File.ReadAllText(debugPath));
    }

    [Fact]
    public void A_debug_file_that_cannot_be_written_is_refused_by_its_option()
    {
        string message = Assert.Throws<BadInputException>(
            () => Open(ConsoleKind.None, null, DebugConsoleKind.File, _directory)).OnCommandLine();

        Assert.StartsWith($"--debugcon {_directory}: cannot be written", message, StringComparison.Ordinal);
    }

    private HostConsole Open(
        ConsoleKind kind, string? path, DebugConsoleKind debug = DebugConsoleKind.Auto, string? debugPath = null) => new(
        new ConsoleOptions(kind, path, debug, debugPath),
        _lifecycle);
}
