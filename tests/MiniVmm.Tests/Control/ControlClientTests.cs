using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using System.Text.Json;
using MiniVmm.Control;

namespace MiniVmm.Tests.Control;

[Collection(RuntimeFolder.Collection)]
[SupportedOSPlatform("linux")]
public sealed class ControlClientTests : IDisposable
{
    private readonly RuntimeFolder _runtime = new();
    private readonly FakeMachine _machine = new();

    public void Dispose() => _runtime.Dispose();

    [Fact]
    public void Each_command_gets_its_answer()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);
        using ControlClient client = ControlClient.Connect("web");

        using JsonDocument info = client.Ask("info");
        using JsonDocument balloon = client.Ask("balloon", 4096);
        using JsonDocument stop = client.Ask("stop");

        Assert.Equal(2, info.RootElement.GetProperty("info").GetProperty("vcpus").GetInt32());
        Assert.Equal(4096, balloon.RootElement.GetProperty("balloon").GetProperty("actualBytes").GetInt32());
        Assert.Equal(1, _machine.Stops);
    }

    [Fact]
    public void An_answer_longer_than_any_buffer_arrives_whole()
    {
        _machine.Statistics = _machine.Statistics with
        {
            Devices =
            [
                .. Enumerable.Range(0, 4000).Select(
                    i => new DeviceCounters($"disk{i}", "blk", new Dictionary<string, long> { ["reads"] = i })),
            ],
        };
        using ControlServer server = ControlServer.Listen("web", _machine);
        using ControlClient client = ControlClient.Connect("web");

        using JsonDocument answer = client.Ask("stats");

        Assert.Equal(4000, answer.RootElement.GetProperty("statistics").GetProperty("devices").GetArrayLength());
    }

    [Fact]
    public void A_balloon_is_waited_for_while_the_guest_gets_on_both_ways()
    {
        FakeMachine slow = new() { Step = 32 * FakeMachine.MiB };
        using ControlServer server = ControlServer.Listen("web", slow);
        using ControlClient client = ControlClient.Connect("web");

        const ulong size = 96 * FakeMachine.MiB;
        Assert.Equal(new BalloonState(size, size), client.SetBalloon(size, stall: TimeSpan.FromSeconds(30)));
        Assert.Equal(new BalloonState(0, 0), client.SetBalloon(0, stall: TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public void A_balloon_that_gets_no_further_is_told_as_far_as_it_is()
    {
        FakeMachine hungry = new() { MostActual = 40 * FakeMachine.MiB };
        using ControlServer server = ControlServer.Listen("web", hungry);
        using ControlClient client = ControlClient.Connect("web");

        BalloonState state = client.SetBalloon(96 * FakeMachine.MiB, stall: TimeSpan.FromMilliseconds(100));

        Assert.Equal(new BalloonState(96 * FakeMachine.MiB, 40 * FakeMachine.MiB), state);
        Assert.Equal(state, client.Balloon());
    }

    [Fact]
    public void What_the_machine_refuses_is_told_in_one_line()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);
        using ControlClient client = ControlClient.Connect("web");

        BadInputException refused = Assert.Throws<BadInputException>(() => client.Ask("balloon", ulong.MaxValue));

        Assert.StartsWith("machine web: bytes: ", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_name_is_told_with_those_that_are_known()
    {
        using ControlServer web = ControlServer.Listen("web", _machine);
        using ControlServer database = ControlServer.Listen("db", _machine);

        string message = Assert.Throws<BadInputException>(() => ControlClient.Connect("mail")).Message;

        Assert.Contains("mail", message, StringComparison.Ordinal);
        Assert.Contains("db, web", message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_name_is_told_where_nothing_runs()
    {
        Assert.Contains(
            "none does",
            Assert.Throws<BadInputException>(() => ControlClient.Connect("web")).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hello\n")]
    [InlineData("[]\n")]
    [InlineData("{\"ok\":\n")]
    [InlineData("{\"error\":{}}\n")]
    [InlineData("{\"error\":\"\\ud800\"}\n")]
    [InlineData("{\"ok\":true}\n")]
    [InlineData("{\"ok\":true,\"info\":[]}\n")]
    public void A_server_that_speaks_something_else_is_the_hosts_trouble(string answer)
    {
        using Socket server = ServeOnce(answer);
        using ControlClient client = ControlClient.Connect("web");

        Assert.Throws<HostLimitException>(() => client.AskFor("info", "info"));
    }

    [Fact]
    public void A_machine_that_ends_before_its_answer_has_ended()
    {
        using Socket server = ServeOnce("{\"ok\"");
        using ControlClient client = ControlClient.Connect("web");

        Assert.Contains(
            "has ended",
            Assert.Throws<HostLimitException>(() => client.Ask("info")).Message,
            StringComparison.Ordinal);
    }

    /// <summary>Listens as "web", answers the first client with this and closes.</summary>
    private Socket ServeOnce(string answer)
    {
        _runtime.WithSockets();
        Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(_runtime.Socket("web")));
        listener.Listen();
        new Thread(() =>
        {
            using Socket client = listener.Accept();
            client.Receive(new byte[1]);
            client.Send(Encoding.UTF8.GetBytes(answer));
        })
        { IsBackground = true }.Start();
        return listener;
    }
}
