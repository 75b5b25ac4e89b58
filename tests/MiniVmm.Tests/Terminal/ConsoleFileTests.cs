using MiniVmm.Execution;
using MiniVmm.Terminal;

namespace MiniVmm.Tests.Terminal;

/// <summary>Consoles that are files.</summary>
public sealed class ConsoleFileTests
{
    [Theory]
    [InlineData(false, "new", "NEW")]
    [InlineData(true, "oldnew", "OLDNEW")]
    public void Text_is_in_place_of_what_was_there_or_behind_it(bool appends, string console, string debug)
    {
        string folder = Directory.CreateTempSubdirectory("minivmm-test-").FullName;
        string first = Path.Combine(folder, "console"), second = Path.Combine(folder, "debug");
        File.WriteAllText(first, "old");
        File.WriteAllText(second, "OLD");
        using (Lifecycle lifecycle = new())
        using (HostConsole host = new(
            new(ConsoleKind.File, first, DebugConsoleKind.File, second) { Appends = appends, DebugAppends = appends }, lifecycle))
        {
            foreach (byte letter in "new"u8)
            {
                host.SerialSink.Write(letter);
                host.DebugSink.Write((byte)(letter - 32));
            }
        }

        Assert.Equal((console, debug), (File.ReadAllText(first), File.ReadAllText(second)));
        Directory.Delete(folder, recursive: true);
    }
}
