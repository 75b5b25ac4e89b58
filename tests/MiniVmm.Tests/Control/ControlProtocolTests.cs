using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using MiniVmm.Control;
using MiniVmm.Host;
using MiniVmm.Tests.Measurement;

namespace MiniVmm.Tests.Control;

public sealed class ControlProtocolTests
{
    private readonly FakeMachine _machine = new();

    [Fact]
    public void Statistics_of_a_machine_and_a_host_that_tell_nothing_are_as_the_schema_says()
    {
        using HostTree host = HostTree.Empty;
        FakeMachine machine = new() { Balloon = null };
        machine.Statistics = machine.Statistics with { GuestMemory = null, Devices = [] };

        string answer = Answer("""{"command":"stats"}""", machine, host.Files);

        Assert.Empty(ControlSchema.Errors("statsAnswer", answer));
        JsonNode memory = JsonNode.Parse(answer)!["statistics"]!["memory"]!;
        Assert.Null(memory["residentBytes"]);
        Assert.Null(memory["balloon"]);
        Assert.Null(memory["ksm"]!["mergingPages"]);
    }

    [Fact]
    public void Info_says_which_machine_it_is()
    {
        JsonNode info = Ask("""{"command":"info"}""")["info"]!;

        Assert.Equal("web", (string?)info["name"]);
        Assert.Equal(Environment.ProcessId, (int)info["pid"]!);
        Assert.Equal("kernels/vmlinuz", (string?)info["kernel"]);
        Assert.Equal(2, (int)info["vcpus"]!);
        Assert.Equal(256 * FakeMachine.MiB, (ulong)info["memoryBytes"]!);
    }

    [Fact]
    public void Statistics_hold_what_the_machine_counted()
    {
        JsonNode statistics = Ask("""{"command":"stats"}""")["statistics"]!;

        Assert.Equal(10, (int)statistics["vcpus"]![0]!["byReason"]!["KVM_EXIT_IO"]!);
        Assert.Equal(7, (int)statistics["vcpus"]![0]!["assisted"]!["popcnt"]!);
        Assert.Null(statistics["vcpus"]![1]!["assisted"]);
        Assert.Equal(5, (int)statistics["vcpus"]![0]!["kvm"]!["halt_exits"]!);
        Assert.Equal(6, (int)statistics["vcpus"]![0]!["kvmNanoseconds"]!["halt_wait_ns"]!);
        Assert.Null(statistics["vcpus"]![1]!["kvm"]);
        Assert.Equal(9, (int)statistics["kvm"]!["pages_4k"]!);
        Assert.Equal(3, (int)statistics["memory"]!["balloon"]!["guest"]!["majorFaults"]!);
        Assert.Equal(4, (int)statistics["devices"]![0]!["counters"]!["reads"]!);
    }

    [Fact]
    public void Statistics_hold_what_the_kernel_tells_of_the_process_and_of_KSM()
    {
        using HostTree host = HostTree.Empty;
        host.Add("/proc/self/status", "Name:\tminivmm\nVmRSS:\t    2048 kB\nVmSwap:\t 8 kB\nHugetlbPages:\t 4096 kB\n");
        host.Add("/proc/self/ksm_merging_pages", "77\n");
        host.Add("/proc/self/ksm_stat", "ksm_rmap_items 100\nksm_process_profit -12\nksm_merge_any: no\n");
        host.Add("/sys/kernel/mm/ksm/pages_sharing", "70\n");

        JsonNode memory =
            JsonNode.Parse(Answer("""{"command":"stats"}""", _machine, host.Files))!["statistics"]!["memory"]!;

        Assert.Equal(2 << 20, (int)memory["residentBytes"]!);
        Assert.Equal(8 << 10, (int)memory["swappedBytes"]!);
        Assert.Equal(4 << 20, (int)memory["hugetlbBytes"]!);
        Assert.Equal(77, (int)memory["ksm"]!["mergingPages"]!);
        Assert.Equal("""{"ksm_rmap_items":100,"ksm_process_profit":-12}""", memory["ksm"]!["process"]!.ToJsonString());
        Assert.Equal("""{"pages_sharing":70}""", memory["ksm"]!["host"]!.ToJsonString());
    }

    [Fact]
    public void The_balloon_is_set_to_the_size_in_bytes_and_shown_without_one()
    {
        JsonNode set = Ask("""{"command":"balloon","bytes":100663296}""");

        Assert.Equal(100663296ul, _machine.Balloon!.TargetBytes);
        Assert.Equal(100663296, (int)set["balloon"]!["targetBytes"]!);
        Assert.Equal(100663296, (int)Ask("""{"command":"balloon"}""")["balloon"]!["actualBytes"]!);
    }

    [Theory]
    [InlineData("268435457")]
    [InlineData("18446744073709551616")]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("\"96M\"")]
    [InlineData("null")]
    public void A_size_that_no_balloon_can_have_is_refused_and_changes_nothing(string bytes)
    {
        string error = Refused($$"""{"command":"balloon","bytes":{{bytes}}}""");

        Assert.StartsWith("bytes: ", error, StringComparison.Ordinal);
        Assert.Equal(new BalloonState(0, 0), _machine.Balloon);
    }

    [Fact]
    public void A_machine_without_a_balloon_says_so()
    {
        _machine.Balloon = null;

        Assert.Contains("no balloon", Refused("""{"command":"balloon","bytes":0}"""), StringComparison.Ordinal);
    }

    [Fact]
    public void Stop_ends_the_machine_once()
    {
        Ask("""{"command":"stop"}""");

        Assert.Equal(1, _machine.Stops);
    }

    [Fact]
    public void What_the_machine_cannot_is_an_error_answer()
    {
        FakeMachine machine = new() { Failure = new HostLimitException("no memory for that") };

        string answer = TestProtocol.Answer(machine, """{"command":"stats","id":1}""");

        Assert.Equal("""{"id":1,"error":"no memory for that"}""", answer);
    }

    [Fact]
    public void A_bug_in_a_verb_is_an_error_answer_and_the_machine_goes_on()
    {
        FakeMachine machine = new() { Failure = new InvalidOperationException("no\nsuch element") };

        JsonNode answer = JsonNode.Parse(TestProtocol.Answer(machine, """{"command":"stats","id":1}"""))!;

        Assert.Equal(1, (int)answer["id"]!);
        Assert.Equal(
            "stats: a bug in MiniVmm, please report it: InvalidOperationException: no\ufffdsuch element",
            (string?)answer["error"]);
        Assert.True((bool?)Ask("""{"command":"info"}""")["ok"]);
    }

    [Theory]
    [InlineData("7")]
    [InlineData("-9223372036854775808")]
    [InlineData("\"a \\u0022 b\"")]
    public void An_id_comes_back(string id)
    {
        JsonNode wanted = JsonNode.Parse(id)!;

        Assert.True(JsonNode.DeepEquals(wanted, Ask($$"""{"id":{{id}},"command":"info"}""")["id"]));
        Assert.True(JsonNode.DeepEquals(wanted, JsonNode.Parse(Answer($$"""{"id":{{id}},"command":"x"}"""))!["id"]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("hello")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"command\":1}")]
    [InlineData("{\"command\":\"reboot\"}")]
    [InlineData("{\"command\":\"STOP\"}")]
    [InlineData("{\"command\":\"stop\"} {\"command\":\"stop\"}")]
    [InlineData("{\"command\":\"stop\",\"command\":\"stop\"}")]
    [InlineData("{\"command\":\"stop\",\"bytes\":1}")]
    [InlineData("{\"command\":\"stop\",\"force\":true}")]
    [InlineData("{\"command\":\"stop\",\"id\":1.5}")]
    [InlineData("{\"command\":\"stop\",\"id\":[]}")]
    [InlineData("{\"command\":\"stop\",\"id\":\"\\ud800\"}")]
    [InlineData("{\"command\":\"\\ud800\"}")]
    [InlineData("{\"command\":\"stop\",\"\\ud800\":1}")]
    [InlineData("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[")]
    public void What_is_no_request_is_refused_and_nothing_is_done(string line)
    {
        Refused(line);

        Assert.Equal(0, _machine.Stops);
    }

    [Fact]
    public void Bytes_that_are_not_UTF_8_are_refused()
    {
        byte[] line = [.. "{\"command\":\""u8, 0xff, .. "\"}"u8];

        Assert.Equal("{\"error\":\"not UTF-8\"}", TestProtocol.Answer(_machine, line));
    }

    [Fact]
    public void Any_bytes_give_one_line_of_the_schema()
    {
        byte[][] good =
        [
            [.. """{"command":"info","id":12}"""u8],
            [.. """{"command":"balloon","bytes":4096,"id":"ab"}"""u8],
        ];
        Gen<(int At, byte Value)> change = Gen.Select(Gen.Int[0, 60], Gen.Byte);
        Gen<byte[]> bent = Gen.Select(Gen.Int[0, 1], change.Array[1, 4], (which, changes) =>
        {
            byte[] line = [.. good[which]];
            foreach ((int at, byte value) in changes)
                line[at % line.Length] = value;
            return line;
        });
        using HostTree host = HostTree.Empty;

        Gen.OneOf(bent, Gen.Byte.Array[0, 40]).Sample(
            line => Assert.Empty(ControlSchema.Errors("answer", TestProtocol.Answer(_machine, line, host.Files))),
            seed: "0000KDNQ6tz4",
            iter: 2000,
            threads: 1);
    }

    private string Refused(string line)
    {
        string answer = Answer(line);
        Assert.Empty(ControlSchema.Errors("error", answer));
        return (string)JsonNode.Parse(answer)!["error"]!;
    }

    private JsonNode Ask(string line)
    {
        JsonNode answer = JsonNode.Parse(Answer(line))!;
        Assert.True((bool?)answer["ok"], answer.ToJsonString());
        return answer;
    }

    private string Answer(string line) => TestProtocol.Answer(_machine, line);

    private static string Answer(string line, FakeMachine machine, HostFiles host) =>
        TestProtocol.Answer(machine, Encoding.UTF8.GetBytes(line), host);
}
