using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using System.Text.Json;
using MiniVmm.Control;
using MiniVmm.Control.Verbs;

namespace MiniVmm.Tests.Control;

[Collection(RuntimeFolder.Collection)]
[SupportedOSPlatform("linux")]
public sealed class ControlClientTests : IDisposable
{
    private readonly RuntimeFolder _runtime = new();
    private readonly FakeMachine _machine = new();

    public void Dispose() => _runtime.Dispose();

    [Fact]
    public void Each_verb_gets_its_answer()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);
        using ControlClient client = ControlClient.Connect("web");

        JsonElement info = client.Ask(new InfoVerb());
        JsonElement balloon = client.Ask(new BalloonVerb(), BalloonVerb.Of(4096));
        JsonElement stop = client.Ask(new StopVerb());

        Assert.Equal(2, info.GetProperty("vcpus").GetInt32());
        Assert.Equal(4096, balloon.GetProperty("actualBytes").GetInt32());
        Assert.Equal(JsonValueKind.Undefined, stop.ValueKind);
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

        JsonElement statistics = client.Ask(new StatsVerb());

        Assert.Equal(4000, statistics.GetProperty("devices").GetArrayLength());
    }

    [Fact]
    public void What_the_machine_refuses_is_told_in_one_line()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);
        using ControlClient client = ControlClient.Connect("web");

        BadInputException refused = Assert.Throws<BadInputException>(
            () => client.Ask(new BalloonVerb(), BalloonVerb.Of(ulong.MaxValue)));

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
            "none is",
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
    [InlineData("{\"ok\":true,\"info\":{\"kernel\":\"\\ud800\"}}\n")]
    [InlineData("{\"ok\":true,\"info\":{\"\\udc00\":1}}\n")]
    [InlineData("{\"ok\":true,\"info\":{\"more\":[\"\\ud800\\u0041\"]}}\n")]
    public void A_server_that_speaks_something_else_is_the_hosts_trouble(string answer)
    {
        using Socket server = ServeOnce(answer);
        using ControlClient client = ControlClient.Connect("web");

        Assert.Equal(
            "machine web sent a reply that is not protocol JSON",
            Assert.Throws<HostLimitException>(() => client.Ask(new InfoVerb())).Message);
    }

    [Fact]
    public void A_whole_surrogate_pair_is_text()
    {
        using Socket server = ServeOnce("{\"ok\":true,\"info\":{\"kernel\":\"\\ud83d\\ude00\"}}\n");
        using ControlClient client = ControlClient.Connect("web");

        Assert.Equal("\U0001f600", client.Ask(new InfoVerb()).GetProperty("kernel").GetString());
    }

    [Fact]
    public void A_machine_that_ends_before_its_answer_has_ended()
    {
        using Socket server = ServeOnce("{\"ok\"");
        using ControlClient client = ControlClient.Connect("web");

        Assert.Contains(
            "has ended",
            Assert.Throws<HostLimitException>(() => client.Ask(new InfoVerb())).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void An_answer_that_comes_too_late_is_not_the_next_requests()
    {
        ManualResetEventSlim late = new(); // not disposed of: a thread may still wait for it
        using Socket server = Serve(client =>
        {
            late.Wait();
            client.Send("{\"ok\":true,\"info\":{\"name\":\"late\"}}\n"u8);
        });
        using ControlClient client = ControlClient.Connect("web", TimeSpan.FromMilliseconds(20));

        Assert.Contains("does not answer", Refusal(), StringComparison.Ordinal);
        late.Set();
        Assert.Equal("the connection to machine web is closed; connect again", Refusal());

        string Refusal() => Assert.Throws<HostLimitException>(() => client.Ask(new InfoVerb())).Message;
    }

    [Fact]
    public void What_follows_a_broken_answer_is_not_the_next_requests()
    {
        using Socket server = ServeOnce(new string(' ', 1 << 21) + "\n{\"ok\":true,\"info\":{\"name\":\"late\"}}\n");
        using ControlClient client = ControlClient.Connect("web");

        Assert.Throws<HostLimitException>(() => client.Ask(new InfoVerb()));
        Assert.Contains(
            "is closed", Assert.Throws<HostLimitException>(() => client.Ask(new InfoVerb())).Message, StringComparison.Ordinal);
    }

    /// <summary>Listens as "web", answers the first client with this and closes.</summary>
    private Socket ServeOnce(string answer) => Serve(client => client.Send(Encoding.UTF8.GetBytes(answer)));

    /// <summary>Listens as "web", does this once the first client has asked, and closes.</summary>
    private Socket Serve(Action<Socket> answer)
    {
        _runtime.WithSockets();
        Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(_runtime.Socket("web")));
        listener.Listen();
        new Thread(() =>
        {
            using Socket client = listener.Accept();
            client.Receive(new byte[1]);
            try
            {
                answer(client);
            }
            catch (SocketException)
            {
                // The client has closed.
            }
        })
        { IsBackground = true }.Start();
        return listener;
    }
}
