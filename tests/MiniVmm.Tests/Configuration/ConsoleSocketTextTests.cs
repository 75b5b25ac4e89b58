using MiniVmm.Configuration;
using MiniVmm.Machine;
using MiniVmm.Terminal;

namespace MiniVmm.Tests.Configuration;

public sealed class ConsoleSocketTextTests
{
    private static readonly MachineOptions Plain = new() { Kernel = "" };

    [Theory]
    [InlineData("unix:/run/c", "/run/c", "", 0, false, true)]
    [InlineData("unix:a,,b,server,nowait", "a,b", "", 0, true, false)]
    [InlineData("unix:c,server=on,wait=off", "c", "", 0, true, false)]
    [InlineData("tcp:localhost:4444,server=off", null, "localhost", 4444, false, true)]
    [InlineData("tcp::1,server,nodelay", null, "", 1, true, true)]
    [InlineData("tcp:[::1]:65535", null, "::1", 65535, false, true)]
    public void A_socket_is_QEMUs(string text, string? path, string host, int port, bool listens, bool waits)
    {
        MachineOptions options = Plain.With(OptionName.Console, text);

        Assert.Equal(ConsoleKind.Socket, options.Console);
        Assert.Equal(new ConsoleSocket(path, host, (ushort)port, listens, waits), options.ConsoleSocket);
    }

    [Theory]
    [InlineData("unix:", "no path")]
    [InlineData("tcp:localhost", "no port from 1 to 65535")]
    [InlineData("tcp::0", "no port from 1 to 65535")]
    [InlineData("tcp::65536", "no port from 1 to 65535")]
    [InlineData("unix:x,telnet", "unknown 'telnet'")]
    [InlineData("unix:x,server=maybe", "'server=maybe': ")]
    public void What_is_wrong_is_said_with_the_part(string text, string complaint) => Assert.StartsWith(
        $"Console {text}: {complaint}",
        Assert.Throws<BadInputException>(() => Plain.With(OptionName.Console, text)).Message,
        StringComparison.Ordinal);

    [Fact]
    public void A_pseudoterminal_and_a_file_are_none()
    {
        Assert.Equal((ConsoleKind.Pty, null), (Plain.With(OptionName.Console, "pty").Console, Plain.With(OptionName.Console, "pty").ConsoleSocket));
        Assert.Equal("./unix:x", Plain.With(OptionName.Console, "./unix:x").ConsolePath);
    }
}
