using System.Net.Sockets;
using System.Runtime.Versioning;
using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Display.Rfb;
using MiniVmm.Memory;
using MiniVmm.Tests.Cli;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Display.Rfb;

/// <summary>The server on a socket.</summary>
[SupportedOSPlatform("linux")]
public sealed class VncServerTests : IDisposable
{
    private const ulong RamSize = 2 * MemoryLayout.MiB;
    private readonly string _folder = Directory.CreateTempSubdirectory("minivmm-test-").FullName;
    private readonly RamBacking _backing = RamBacking.Allocate(new(RamSize), RamSize);
    private readonly GuestMemory _memory;
    private readonly I8042 _controller = new(new RecordingPower());

    public VncServerTests() => _memory = _backing.Slots(new GuestMemoryMap(RamSize));

    public void Dispose()
    {
        _backing.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_client_on_a_unix_socket_sees_the_screen_and_types()
    {
        Assert.True(_memory.TryWrite(0xb8000, (ushort)0x0741));
        string path = Path.Combine(_folder, "vnc");
        using (VncServer server = new("web", new(null, 0, path), Screen, _controller))
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
            using Socket socket = Connect(path);
            socket.Send([.. RfbClient.Version, .. RfbClient.Choose, .. RfbClient.Init]);
            RfbClient client = new();
            client.TakeStart(Receive(socket, 18 + 24 + 3));
            Assert.Equal((640, 400, "web"), (client.Width, client.Height, client.Name));
            socket.Send([.. RfbClient.SetEncodings(0), .. RfbClient.Request(incremental: false), .. RfbClient.Key('a', down: true)]);

            const int tiles = 10 * 7;
            client.TakeUpdate(Receive(socket, 4 + (12 * tiles) + (640 * 400 * 4)));

            Assert.Equal(Screen.Capture().Pixels.ToArray(), client.Pixels);
        }

        Assert.Equal(0x1eUL, _controller.In(0));
        Assert.Equal(0x9eUL, _controller.In(0)); // released, as the client is gone
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void A_client_that_speaks_another_protocol_is_dropped_and_the_next_is_served()
    {
        string path = Path.Combine(_folder, "vnc");
        using VncServer server = new("web", new(null, 0, path), Screen, _controller);
        using (Socket other = Connect(path))
        {
            other.Send("GET / HTTP/1.1\r\n\r\n"u8);
            Receive(other, 12);
            Assert.Equal(0, other.Receive(new byte[1]));
        }

        using Socket socket = Connect(path);
        Assert.Equal("RFB 003.008\n"u8.ToArray(), Receive(socket, 12));
    }

    [Fact]
    public void A_socket_that_a_dead_machine_left_behind_is_taken_and_a_living_ones_is_not()
    {
        string path = Path.Combine(_folder, "vnc");
        using (Socket dead = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
            dead.Bind(new UnixDomainSocketEndPoint(path));
        using VncServer server = new("web", new(null, 0, path), Screen, null);

        string refusal = Assert.Throws<BadInputException>(() => new VncServer("web", new(null, 0, path), Screen, null)).OnCommandLine();

        Assert.StartsWith($"--display vnc=unix:{path}: cannot listen there: ", refusal, StringComparison.Ordinal);
        using Socket socket = Connect(path);
        Assert.Equal("RFB 003.008\n"u8.ToArray(), Receive(socket, 12));
    }

    private GuestScreen Screen => new(_memory, crtc: null);

    private static Socket Connect(string path)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        return socket;
    }

    private static byte[] Receive(Socket socket, int length)
    {
        byte[] bytes = new byte[length];
        for (int got = 0; got < length;)
        {
            int now = socket.Receive(bytes.AsSpan(got));
            Assert.True(now > 0, "the server has closed");
            got += now;
        }

        return bytes;
    }
}
