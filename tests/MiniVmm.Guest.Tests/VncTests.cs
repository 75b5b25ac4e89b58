using System.Net.Sockets;
using System.Text;
using MiniVmm.Tests;

namespace MiniVmm.Guest.Tests;

/// <summary>The screen and the keyboard over VNC.</summary>
public sealed class VncTests : IClassFixture<UsableKvm>
{
    [Fact]
    public async Task A_client_types_at_a_kernel_that_reads_scan_codes()
    {
        using TemporaryFolder folder = new();
        string path = Path.Combine(folder.Path, "vnc");
        using MinivmmProcess vmm = MinivmmProcess.Start(
            "run", "--display", $"vnc=unix:{path}", Built.Guest("keyboard.elf"), "--append", "log");
        await vmm.Output.WaitForAsync("keyboard: ready\n");
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));

        byte[] said = [.. "RFB 003.008\n"u8, 1, 1, .. Key('h'), .. Key('i'), .. Key(0xff1b)];
        await socket.SendAsync(said);

        MinivmmResult run = (await vmm.EndAsync()).With(ExitStatus.Success);
        Assert.Contains("\n23 a3 17 97 01 ", run.Output, StringComparison.Ordinal);
        Assert.Contains("  | hi\n", run.Errors, StringComparison.Ordinal);
        byte[] start = new byte[12];
        Assert.Equal(12, await socket.ReceiveAsync(start));
        Assert.Equal("RFB 003.008\n", Encoding.ASCII.GetString(start));
        Assert.False(File.Exists(path));
    }

    /// <summary>gvnccapture, out of Debian's package gvncviewer: GTK's client, without a window.</summary>
    [Fact]
    public async Task Somebody_elses_client_sees_what_the_guest_draws()
    {
        using TemporaryFolder folder = new();
        string picture = Path.Combine(folder.Path, "vnc.png");
        const int display = 71;
        using MinivmmProcess vmm = MinivmmProcess.Start(
            "run", "--display", $"vnc=:{display}", Built.Guest("framebuffer.elf"), "--append", "hold");
        await vmm.Output.WaitForAsync("framebuffer: drawn\n");

        MinivmmResult capture = await MinivmmProcess.RunProgramAsync("gvnccapture", ["--quiet", $"127.0.0.1:{display}", picture]);

        vmm.Signal(MinivmmProcess.SIGTERM);
        await vmm.EndAsync();
        Assert.True(capture.Status == 0, capture.Errors);
        (int width, int height, uint[] pixels) = PngReader.Decode(await File.ReadAllBytesAsync(picture));
        Assert.Equal((640, 480), (width, height));
        Assert.All((int[])[0, 639, 640 * 479, (640 * 480) - 1], corner => Assert.Equal(0xff_ffffu, pixels[corner]));
        Assert.Equal(
            [0x7f0000, 0x007f00, 0x00007f], ((int[])[100, 320, 600]).Select(x => (int)pixels[(640 * 240) + x]));
    }

    /// <summary>xtightvncviewer with its window on an X server without a screen, and xdotool at that server's keyboard.</summary>
    [Fact]
    public async Task Somebody_elses_client_types()
    {
        const int display = 72;
        using MinivmmProcess vmm = MinivmmProcess.Start("run", "--display", $"vnc=:{display}", Built.Guest("keyboard.elf"), "--append", "log");
        await vmm.Output.WaitForAsync("keyboard: ready\n");
        using MinivmmProcess server = MinivmmProcess.StartProgram("Xvfb", "-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp");
        await server.Output.WaitForAsync("\n");
        string x = $"DISPLAY=:{server.Output.Text.Trim()}";
        using MinivmmProcess viewer = MinivmmProcess.StartProgram("env", x, "xtightvncviewer", $"127.0.0.1:{display}");

        string[] window = [x, "xdotool", "search", "--sync", "--onlyvisible", "--class", "vncviewer", "windowfocus", "--sync"];
        (await MinivmmProcess.RunProgramAsync("env", [.. window, "type", "--delay", "40", "Hi, all! {x}"])).With(0);
        (await MinivmmProcess.RunProgramAsync("env", x, "xdotool", "key", "Escape")).With(0);

        MinivmmResult run = (await vmm.EndAsync()).With(ExitStatus.Success);
        await viewer.EndAsync();
        server.Signal(MinivmmProcess.SIGTERM);
        await server.EndAsync();
        Assert.Contains("  | Hi, all! {x}\n", run.Errors, StringComparison.Ordinal);
        Assert.Contains(" 2a 1b aa 9b 01 \n", run.Output, StringComparison.Ordinal); // the brace with its Shift, and Escape
    }

    private static byte[] Key(uint keysym) =>
    [
        4, 1, 0, 0, 0, 0, (byte)(keysym >> 8), (byte)keysym,
        4, 0, 0, 0, 0, 0, (byte)(keysym >> 8), (byte)keysym,
    ];
}
