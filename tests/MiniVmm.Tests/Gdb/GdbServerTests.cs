using System.Net.Sockets;
using MiniVmm.Execution;
using MiniVmm.Gdb;
using MiniVmm.Tests.Testing;
using Tmds.Linux;

namespace MiniVmm.Tests.Gdb;

/// <summary>A machine that cannot be stopped when gdb comes, or when it goes.</summary>
public sealed class GdbServerTests : IDisposable
{
    private const int Never = int.MaxValue;
    private static readonly TimeSpan Lost = TimeSpan.FromSeconds(20);

    private readonly TestFolder _folder = new();
    private readonly HeldUpMachine _machine = new();
    private readonly MachineDebugger _debugger;
    private GdbServer? _server;

    public GdbServerTests() => _debugger = new MachineDebugger(_machine, is64: true);

    public void Dispose()
    {
        _server?.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_gdb_that_cannot_have_the_machine_leaves_no_trace()
    {
        Start(Never);
        _machine.RefuseToStop(1);
        using Socket gdb = await ConnectAsync();

        Assert.Equal(0, await gdb.ReceiveAsync(new byte[1])); // sent away

        Assert.False(_debugger.TryTake(0, ExitKind.TripleFault)); // ends the machine
        using Socket next = await ConnectAsync();
        Assert.True(await _machine.Held.WaitAsync(Lost));
    }

    [Fact]
    public async Task A_guest_that_cannot_be_left_when_gdb_goes_is_left_later()
    {
        Start(betweenTries: 1);
        await ComeAndGoAsync(refusals: 3);

        Assert.True(await _machine.Released.WaitAsync(Lost));
        Assert.Equal(3, _machine.Refused);
        Assert.False(_debugger.TryTake(0, ExitKind.TripleFault));
    }

    [Fact]
    public async Task A_guest_that_could_not_be_left_is_left_when_it_stops()
    {
        Start(Never);
        await ComeAndGoAsync(refusals: 1);
        Assert.True(SpinWait.SpinUntil(() => _machine.Refused == 1, Lost));

        Stop();

        Assert.True(await _machine.Released.WaitAsync(Lost));
    }

    [Fact]
    public async Task A_guest_that_could_not_be_left_is_left_before_the_next_gdb_gets_it()
    {
        Start(Never);
        await ComeAndGoAsync(refusals: 1);
        Assert.True(SpinWait.SpinUntil(() => _machine.Refused == 1, Lost));
        _machine.RefuseToStop(1);
        using (Socket early = await ConnectAsync())
            Assert.Equal(0, await early.ReceiveAsync(new byte[1]));

        using Socket next = await ConnectAsync();

        Assert.True(await _machine.Released.WaitAsync(Lost));
        await next.SendAsync("$qSymbol#5a"u8.ToArray());
        Assert.Equal(1, await next.ReceiveAsync(new byte[1]));
    }

    private void Start(int betweenTries)
    {
        _server = new GdbServer(new(null, 0, Path), _debugger, waits: false) { BetweenTries = betweenTries };
        _server.Start();
    }

    private string Path => System.IO.Path.Combine(_folder.Path, "gdb");

    /// <summary>gdb has had the machine, and goes without a word while it cannot be stopped.</summary>
    private async Task ComeAndGoAsync(int refusals)
    {
        using Socket gdb = await ConnectAsync();
        Assert.True(await _machine.Held.WaitAsync(Lost));
        _machine.RefuseToStop(refusals);
    }

    private async Task<Socket> ConnectAsync()
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 20_000 };
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path));
        return socket;
    }

    /// <summary>As a vCPU's thread does.</summary>
    private unsafe void Stop()
    {
        ulong one = 1;
        Assert.Equal(sizeof(ulong), (int)LibC.write(_debugger.StoppedFd, &one, sizeof(ulong)));
    }
}
