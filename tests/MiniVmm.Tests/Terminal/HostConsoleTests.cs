using MiniVmm.Execution;
using MiniVmm.Terminal;

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

        using (HostConsole console = new(ConsoleKind.File, path, _lifecycle))
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
            Assert.Throws<BadInputException>(() => new HostConsole(ConsoleKind.File, _directory, _lifecycle)).Message;

        Assert.StartsWith($"--console {_directory}: cannot be written", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_console_text_goes_nowhere()
    {
        using HostConsole console = new(ConsoleKind.None, null, _lifecycle);

        console.Sink.Write((byte)'x');

        Assert.False(_lifecycle.IsStopping);
    }
}
