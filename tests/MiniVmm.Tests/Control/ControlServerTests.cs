using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using MiniVmm.Control;

namespace MiniVmm.Tests.Control;

[Collection(RuntimeFolder.Collection)]
[SupportedOSPlatform("linux")]
public sealed class ControlServerTests : IDisposable
{
    private const string Info = """{"command":"info"}""";
    private readonly RuntimeFolder _runtime = new();
    private readonly FakeMachine _machine = new();

    public void Dispose() => _runtime.Dispose();

    [Fact]
    public void The_socket_and_its_directory_are_their_owners_alone()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);

        Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(_runtime.Socket("web")));
        Assert.Equal((UnixFileMode)0b111_000_000, File.GetUnixFileMode(_runtime.Sockets));
    }

    [Fact]
    public void Nothing_is_left_at_the_end()
    {
        ControlServer server = ControlServer.Listen("web", _machine);
        using TestClient client = new(_runtime.Socket("web"));
        client.Ask(Info);

        server.Dispose();
        server.Dispose();

        Assert.True(client.IsClosed);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_runtime.Sockets));
    }

    [Fact]
    public void The_end_leaves_a_socket_that_is_another_machines()
    {
        ControlServer first = ControlServer.Listen("web", _machine);
        File.Delete(_runtime.Socket("web"));
        using ControlServer second = ControlServer.Listen("web", _machine);

        first.Dispose();

        using TestClient client = new(_runtime.Socket("web"));
        Assert.Empty(ControlSchema.Errors("infoAnswer", client.Ask(Info)));
    }

    [Fact]
    public void A_client_asks_as_often_as_it_likes_and_several_at_a_time()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);
        using TestClient one = new(_runtime.Socket("web"));
        using TestClient other = new(_runtime.Socket("web"));

        for (int i = 0; i < 3; i++)
        {
            Assert.Empty(ControlSchema.Errors("infoAnswer", one.Ask(Info)));
            Assert.Empty(ControlSchema.Errors("statsAnswer", other.Ask("""{"command":"stats"}""")));
        }
    }

    [Fact]
    public void Requests_in_one_packet_are_answered_in_their_order()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);
        using TestClient client = new(_runtime.Socket("web"));

        client.Send(
            """
            {"command":"info","id":1}
            {"command":"balloon","id":2}
            {"command":"x","id":3}

            """);

        Assert.Equal([1, 2, 3], Enumerable.Range(0, 3).Select(_ => (int)JsonNode.Parse(client.ReadLine())!["id"]!));
    }

    [Fact]
    public void A_request_may_come_byte_by_byte()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);
        using TestClient client = new(_runtime.Socket("web"));

        foreach (char letter in Info + "\n")
            client.Send(letter.ToString());

        Assert.Empty(ControlSchema.Errors("infoAnswer", client.ReadLine()));
    }

    [Fact]
    public void Garbage_is_answered_with_an_error_and_the_next_request_as_ever()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);
        using TestClient client = new(_runtime.Socket("web"));

        Assert.Empty(ControlSchema.Errors("error", client.Ask("GET / HTTP/1.1\r")));
        Assert.Empty(ControlSchema.Errors("infoAnswer", client.Ask(Info)));
    }

    [Fact]
    public void A_line_may_have_4096_bytes_and_one_more_ends_the_connection()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);
        using TestClient client = new(_runtime.Socket("web"));

        Assert.Empty(ControlSchema.Errors("infoAnswer", client.Ask(Info.PadRight(4095))));
        client.Send(new string('x', 4096));

        Assert.Contains("4096 bytes", client.ReadLine(), StringComparison.Ordinal);
        Assert.True(client.IsClosed);
        using TestClient next = new(_runtime.Socket("web"));
        Assert.Empty(ControlSchema.Errors("infoAnswer", next.Ask(Info)));
    }

    [Fact]
    public void Clients_that_leave_in_the_middle_harm_nobody()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);
        using TestClient stays = new(_runtime.Socket("web"));
        for (int i = 0; i < 3 * ControlServer.MostClients; i++)
        {
            using TestClient leaves = new(_runtime.Socket("web"));
            leaves.Send((i % 3) switch { 0 => "{\"comm", 1 => Info + "\n", _ => "" });
            stays.Ask(Info);
        }

        Assert.Empty(ControlSchema.Errors("infoAnswer", stays.Ask(Info)));
    }

    [Fact]
    public void A_client_that_never_reads_holds_up_nobody()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);
        using TestClient deaf = new(_runtime.Socket("web"));
        deaf.Flood("""{"command":"stats"}""");
        using TestClient client = new(_runtime.Socket("web"));

        Assert.Empty(ControlSchema.Errors("statsAnswer", client.Ask("""{"command":"stats"}""")));
        Assert.Empty(ControlSchema.Errors("statsAnswer", deaf.ReadLine()));
    }

    [Fact]
    public void One_client_too_many_takes_the_place_of_the_one_that_was_silent_longest()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);
        List<TestClient> clients = [];
        try
        {
            for (int i = 0; i < ControlServer.MostClients; i++)
            {
                clients.Add(new TestClient(_runtime.Socket("web")));
                clients[i].Ask(Info);
            }

            clients[0].Ask(Info);
            clients.Add(new TestClient(_runtime.Socket("web")));
            clients[^1].Ask(Info);

            Assert.True(clients[1].IsClosed);
            clients.RemoveAt(1);
            Assert.All(clients, client => Assert.Empty(ControlSchema.Errors("infoAnswer", client.Ask(Info))));
        }
        finally
        {
            clients.ForEach(client => client.Dispose());
        }
    }

    [Fact]
    public void A_machine_that_stops_still_answers_the_request()
    {
        using ControlServer server = ControlServer.Listen("web", _machine);
        using TestClient client = new(_runtime.Socket("web"));

        Assert.Equal("""{"ok":true}""", client.Ask("""{"command":"stop"}"""));
        Assert.Equal(1, _machine.Stops);
    }
}
