using MiniVmm.Control;
using MiniVmm.Host;

namespace MiniVmm.Tests.Control;

public sealed class UnixSocketTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("minivmm-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Whoever_connects_waits_for_a_turn_as_long_as_was_said_and_never_afterwards()
    {
        string path = Path.Combine(_folder, "socket");
        using UnixSocket listener = UnixSocket.Create();
        Assert.Equal(0, listener.Bind(path));
        Assert.Equal(0, listener.Listen(0));
        using UnixSocket first = UnixSocket.Create();
        using UnixSocket second = UnixSocket.Create();
        using UnixSocket third = UnixSocket.Create();
        Assert.Equal(0, first.Connect(path));
        Assert.Equal(-Errno.EAGAIN, second.Connect(path));

        Assert.Equal(-Errno.EAGAIN, second.Connect(path, TimeSpan.FromMilliseconds(20)));
        int result = -1;
        Thread waiting = new(() => result = third.Connect(path, TimeSpan.FromMinutes(1)));
        waiting.Start();
        using UnixSocket? accepted = listener.Accept();

        Assert.True(waiting.Join(TimeSpan.FromMinutes(1)));
        Assert.Equal(0, result);
        Assert.NotNull(accepted);
        Assert.Equal(-Errno.EAGAIN, third.Receive(new byte[1]));
    }

    [Fact]
    public void Where_nobody_listens_nobody_waits()
    {
        using UnixSocket socket = UnixSocket.Create();

        Assert.Equal(-Errno.ENOENT, socket.Connect(Path.Combine(_folder, "none"), TimeSpan.FromMinutes(1)));
    }
}
