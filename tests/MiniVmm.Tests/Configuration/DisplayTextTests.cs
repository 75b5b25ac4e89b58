using MiniVmm.Configuration;
using MiniVmm.Display;
using MiniVmm.Machine;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Configuration;

public sealed class DisplayTextTests
{
    private static readonly MachineOptions Defaults = new() { Kernel = "kernel" };

    [Theory]
    [InlineData("auto", DisplayKind.Auto)]
    [InlineData("none", DisplayKind.None)]
    [InlineData("tty", DisplayKind.Tty)]
    [InlineData("curses", DisplayKind.Tty)]
    public void A_word_says_where(string text, DisplayKind kind) => Assert.Equal(kind, DisplayText.Parse(Defaults, text).Display);

    [Theory]
    [InlineData("vnc=5901", "127.0.0.1:5901")]
    [InlineData("vnc=:1", "127.0.0.1:5901")] // QEMU's
    [InlineData("vnc=localhost:5900", "127.0.0.1:5900")]
    [InlineData("vnc=127.0.0.2:1", "127.0.0.2:1")]
    [InlineData("vnc=[::1]:5900", "[::1]:5900")]
    [InlineData("vnc=0.0.0.0:5900,public=on", "0.0.0.0:5900")]
    [InlineData("vnc=unix:/run/vnc", "unix:/run/vnc")]
    public void VNC_has_an_address(string text, string address)
    {
        MachineOptions options = DisplayText.Parse(Defaults, text);

        Assert.Equal((DisplayKind.Vnc, address), (options.Display, options.Vnc!.ToString()));
    }

    [Theory]
    [InlineData("sdl", "--display sdl: is not auto, none, tty or vnc=[HOST:]PORT")]
    [InlineData("vnc=", "--display vnc=: '' is not a port, HOST:PORT or unix:PATH")]
    [InlineData("vnc=0", "--display vnc=0: '0' is not a port, HOST:PORT or unix:PATH")]
    [InlineData("vnc=:65000", "--display vnc=:65000: ':65000' is not a port, HOST:PORT or unix:PATH")]
    [InlineData("vnc=unix:", "--display vnc=unix:: the path is missing")]
    [InlineData("vnc=example:1", "--display vnc=example:1: 'example' is not an IP address")]
    [InlineData("vnc=1,password=x", "--display vnc=1,password=x: 'password=x' is not public=on or public=off")]
    [InlineData("vnc=10.0.0.1:5900", "--display vnc=10.0.0.1:5900: there is no password, and whoever reaches 10.0.0.1 could see and type; ")]
    public void Anything_else_is_an_error(string text, string message) => Assert.StartsWith(
        message, Assert.Throws<BadInputException>(() => DisplayText.Parse(Defaults, text)).OnCommandLine(), StringComparison.Ordinal);
}
