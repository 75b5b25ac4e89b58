using System.Net.Sockets;
using System.Text;

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

    private static byte[] Key(uint keysym) =>
    [
        4, 1, 0, 0, 0, 0, (byte)(keysym >> 8), (byte)keysym,
        4, 0, 0, 0, 0, 0, (byte)(keysym >> 8), (byte)keysym,
    ];
}
