using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Terminal;
using Tmds.Linux;

namespace MiniVmm.Tests.Terminal;

/// <summary>Consoles that somebody else connects to.</summary>
public sealed class ConsoleRelayTests : IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("minivmm-test-");
    private readonly Lifecycle _lifecycle = new();

    private string SocketPath => Path.Combine(_folder.FullName, "console");

    public void Dispose()
    {
        _lifecycle.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public void Who_connects_reads_the_guest_and_types_to_it()
    {
        Keys keys = new();
        using HostConsole console = Open(new(SocketPath, "", 0, Listens: true, Waits: true));
        console.AttachInput(keys);
        using Socket peer = Connect();
        console.WaitForPeer();

        Print(console, "hello\n");
        Assert.Equal("hello\n", Read(peer, 6));
        peer.Send("typed"u8);
        Assert.Equal("typed", keys.WaitFor(5));
    }

    [Fact]
    public void After_one_has_gone_another_may_come()
    {
        using HostConsole console = Open(new(SocketPath, "", 0, Listens: true, Waits: true));
        using (Socket first = Connect())
        {
            console.WaitForPeer();
            Print(console, "1");
            Assert.Equal("1", Read(first, 1));
        }

        using Socket second = Connect();
        while (second.Available == 0)
            Print(console, "2"); // what comes before he is seen is dropped
        Assert.StartsWith("2", Read(second, 1), StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_that_was_printed_is_out_at_the_end()
    {
        string text = string.Concat(Enumerable.Range(0, 20_000).Select(i => $"{i}\n"));
        using HostConsole console = Open(new(SocketPath, "", 0, Listens: true, Waits: true));
        using Socket peer = Connect();
        console.WaitForPeer();
        Task<string> read = OnThread(() => Read(peer, text.Length));
        Print(console, text);

        console.Dispose();

        Assert.Equal(text, await read);
        Assert.False(File.Exists(SocketPath));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_end_does_not_wait_for_somebody_who_does_not_read(bool isClosed)
    {
        using StreamPair console = new();
        using StreamPair line = new();
        FilledPeer peer = new(line);
        ConsoleRelay relay = new(console.TakePeer()!.Value, peer) { LastWait = 1 };
        console.Write("lost"u8);
        if (isClosed)
            console.Dispose();

        relay.Dispose();

        Assert.True(peer.IsGone.Wait(Longest));
    }

    [Fact]
    public async Task What_was_printed_is_out_though_somebody_types_when_nobody_takes_it_any_more()
    {
        byte[] text = [.. Enumerable.Range(0, 10_000).Select(i => (byte)(i % 251))];
        using StreamPair console = new();
        using StreamPair line = new();
        FilledPeer peer = new(line);
        ConsoleRelay relay = new(console.TakePeer()!.Value, peer) { LastWait = 60_000 };
        console.Write(text); // more than the relay takes at once
        console.Dispose();
        line.Write("typed"u8);

        Task<byte[]> read = OnThread(line.ReadToEnd);
        relay.Dispose();

        Assert.Equal(text, (await read.WaitAsync(Longest, TestContext.Current.CancellationToken))[peer.Filled..]);
    }

    [Fact]
    public void A_guest_that_nobody_listens_to_is_not_held_up()
    {
        using HostConsole console = Open(new(SocketPath, "", 0, Listens: true, Waits: false));
        console.WaitForPeer();

        Print(console, new string('x', 1 << 20));
        console.Dispose();
    }

    [Fact]
    public void It_connects_to_somebody_too()
    {
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(SocketPath));
        listener.Listen();
        using HostConsole console = Open(new(SocketPath, "", 0, Listens: false, Waits: true));
        using Socket peer = listener.Accept();

        Print(console, "hello");
        Assert.Equal("hello", Read(peer, 5));
        Assert.Null(console.Place);
    }

    [Fact]
    public void Where_nobody_is_it_cannot_connect_and_a_socket_in_use_is_not_taken()
    {
        Assert.StartsWith(
            $"Console unix:{SocketPath}: ",
            Assert.Throws<BadInputException>(() => Open(new(SocketPath, "", 0, Listens: false, Waits: true))).Message,
            StringComparison.Ordinal);
        using HostConsole console = Open(new(SocketPath, "", 0, Listens: true, Waits: false));
        Assert.Throws<BadInputException>(() => Open(new(SocketPath, "", 0, Listens: true, Waits: false)));
    }

    [Fact]
    public void The_socket_of_a_process_that_was_killed_is_taken_over()
    {
        string first = $"{SocketPath}.dead"; // .NET takes a socket's own name away, but no other
        using (Socket dead = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(first));
            using Process link = Process.Start("ln", [first, SocketPath]);
            link.WaitForExit();
        }

        Assert.True(File.Exists(SocketPath));

        using HostConsole console = Open(new(SocketPath, "", 0, Listens: true, Waits: false));

        Assert.Equal($"unix:{SocketPath}", console.Place);
    }

    [Fact]
    public void A_file_that_is_no_socket_is_left_as_it_is()
    {
        File.WriteAllText(SocketPath, "precious");

        string refusal = Assert.Throws<BadInputException>(() => Open(new(SocketPath, "", 0, Listens: true, Waits: false))).Message;

        Assert.Equal($"Console unix:{SocketPath}: cannot listen there: there is a file that is no socket; remove it, or name another", refusal);
        Assert.Equal("precious", File.ReadAllText(SocketPath));
    }

    [Fact]
    public void Where_its_folder_has_gone_the_end_is_as_ever()
    {
        string folder = Path.Combine(_folder.FullName, "gone");
        Directory.CreateDirectory(folder);
        using HostConsole console = Open(new(Path.Combine(folder, "console"), "", 0, Listens: true, Waits: false));
        Directory.Delete(folder, recursive: true);

        console.Dispose();
    }

    [Fact]
    public void A_pseudoterminal_is_opened_by_its_name()
    {
        Keys keys = new();
        using HostConsole console = new(new(ConsoleKind.Pty, null, DebugConsoleKind.None, null), _lifecycle);
        console.AttachInput(keys);
        Assert.StartsWith("/dev/pts/", console.Place, StringComparison.Ordinal);
        Print(console, new string('x', 1 << 18)); // nobody is there, and the guest is not held up
        using FileStream terminal = new(console.Place!, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        terminal.Write("typed\r"u8);
        Assert.Equal("typed\r", keys.WaitFor(6)); // so it is seen

        Print(console, "hello\n");

        StringBuilder text = new();
        while (!text.ToString().EndsWith('\n')) // behind some of what was on its way already
            text.Append((char)terminal.ReadByte());
        Assert.Equal("hello\n", text.ToString().TrimStart('x'));
    }

    private HostConsole Open(ConsoleSocket socket) =>
        new(new(ConsoleKind.Socket, null, DebugConsoleKind.None, null) { Socket = socket }, _lifecycle);

    private Socket Connect()
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(SocketPath));
        return socket;
    }

    private static void Print(HostConsole console, string text)
    {
        foreach (byte letter in Encoding.ASCII.GetBytes(text))
            console.SerialSink.Write(letter);
    }

    /// <summary>At once, on a thread of its own: the end waits for its readers for a while only.</summary>
    private static Task<T> OnThread<T>(Func<T> read) =>
        Task.Factory.StartNew(read, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static string Read(Socket socket, int count)
    {
        byte[] bytes = new byte[count];
        for (int got = 0; got < count;)
        {
            int more = socket.Receive(bytes.AsSpan(got));
            Assert.True(more > 0, "the console was closed");
            got += more;
        }

        return Encoding.ASCII.GetString(bytes);
    }

    /// <summary>Somebody with no room for a byte more, until the other end of his line is read.</summary>
    private sealed class FilledPeer : IConsolePeer
    {
        public FilledPeer(StreamPair line)
        {
            Fd = line.TakePeer()!.Value;
            Filled = StreamPairs.Fill(Fd);
        }

        public string Name => "filled";

        public int Fd { get; private set; }

        public int Filled { get; }

        public int Arrivals => -1;

        public ManualResetEventSlim IsGone { get; } = new();

        public void TryConnect()
        {
        }

        public void Disconnect()
        {
            _ = LibC.close(Fd);
            Fd = -1;
        }

        public void Dispose()
        {
            Disconnect();
            IsGone.Set();
        }
    }

    private sealed class Keys : IConsoleKeys
    {
        private readonly List<byte> _taken = [];

        public int Receive(ReadOnlySpan<byte> keys)
        {
            lock (_taken)
                _taken.AddRange(keys);
            return keys.Length;
        }

        public void SendBreak()
        {
        }

        public string WaitFor(int count)
        {
            SpinWait.SpinUntil(() =>
            {
                lock (_taken)
                    return _taken.Count >= count;
            });
            return Encoding.ASCII.GetString(_taken.ToArray());
        }
    }
}
