using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;

namespace MiniVmm.Tests;

/// <summary>Sockets that gdb, VNC clients and consoles use, and the files of those that listen.</summary>
[SupportedOSPlatform("linux")]
public sealed class StreamSocketTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("minivmm-test-");

    public void Dispose() => _folder.Delete(recursive: true);

    private string SocketPath => Path.Combine(_folder.FullName, "socket");

    [Fact]
    public void Its_file_is_its_owners_alone_and_goes_with_it()
    {
        using (StreamSocket listener = Listen())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(SocketPath));
            using StreamSocket? client = StreamSocket.TryConnect(At(SocketPath), out string? problem);
            Assert.Null(problem);
            using StreamSocket? served = listener.Accept();
            Assert.Equal(2, client!.Send("hi"u8));
            Assert.Equal(2, served!.Receive(new byte[4]));
        }

        Assert.False(File.Exists(SocketPath));
    }

    [Theory]
    [InlineData("file")]
    [InlineData("link")]
    [InlineData("folder")]
    public void What_is_no_socket_is_left_as_it_is(string kind)
    {
        string other = SocketPath + ".other";
        if (kind == "folder")
            Directory.CreateDirectory(SocketPath);
        else
            File.WriteAllText(kind == "link" ? other : SocketPath, "precious");
        if (kind == "link")
            File.CreateSymbolicLink(SocketPath, other);

        Assert.Null(StreamSocket.TryListen(At(SocketPath), out string? problem));

        Assert.Equal("there is a file that is no socket; remove it, or name another", problem);
        if (kind == "folder")
            Assert.True(Directory.Exists(SocketPath));
        else
            Assert.Equal("precious", File.ReadAllText(SocketPath));
    }

    [Fact]
    public void A_socket_to_which_nobody_listens_makes_room_and_one_in_use_does_not()
    {
        string aside = $"{SocketPath}.aside";
        using (StreamSocket dead = Listen())
            File.Move(SocketPath, aside); // or it would go with it
        File.Move(aside, SocketPath);

        using StreamSocket listener = Listen();

        Assert.Null(StreamSocket.TryListen(At(SocketPath), out string? problem));
        Assert.Equal("address already in use (EADDRINUSE)", problem);
    }

    [Fact]
    public void A_folder_that_has_gone_hinders_no_end()
    {
        string folder = Path.Combine(_folder.FullName, "gone");
        Directory.CreateDirectory(folder);
        StreamSocket? listener = StreamSocket.TryListen(At(Path.Combine(folder, "socket")), out _);
        Assert.NotNull(listener);
        Directory.Delete(folder, recursive: true);

        listener.Dispose();
    }

    [Fact]
    public void A_socket_that_another_has_made_since_stays()
    {
        using StreamSocket first = Listen();
        File.Delete(SocketPath);
        using StreamSocket second = Listen();

        first.Dispose();

        using StreamSocket? client = StreamSocket.TryConnect(At(SocketPath), out string? problem);
        Assert.Null(problem);
    }

    [Fact]
    public void Tcp_is_listened_to_and_connected_to_the_same_way()
    {
        using TcpListener any = new(IPAddress.Loopback, 0);
        any.Start();
        StreamAddress at = new(IPAddress.Loopback, ((IPEndPoint)any.LocalEndpoint).Port, null);
        using StreamSocket? client = StreamSocket.TryConnect(at, out string? problem);
        Assert.Null(problem);
        using Socket served = any.AcceptSocket();
        Assert.Equal(2, client!.Send("hi"u8));
        Assert.Equal(2, served.Receive(new byte[4]));

        Assert.Null(StreamSocket.TryListen(at, out problem));
        Assert.Equal("address already in use (EADDRINUSE)", problem);
    }

    [Fact]
    public void Where_nobody_listens_it_says_why()
    {
        Assert.Null(StreamSocket.TryConnect(At(SocketPath), out string? problem));
        Assert.Equal("no such file (ENOENT)", problem);
        Assert.Null(StreamSocket.TryConnect(At(new string('x', 200)), out problem));
        Assert.Equal("name too long (ENAMETOOLONG)", problem);
    }

    private static StreamAddress At(string path) => new(null, 0, path);

    private StreamSocket Listen()
    {
        StreamSocket? listener = StreamSocket.TryListen(At(SocketPath), out string? problem);
        Assert.Null(problem);
        return listener!;
    }
}
