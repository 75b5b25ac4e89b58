using System.Runtime.Versioning;
using System.Text.Json;
using MiniVmm.Control;
using MiniVmm.Control.Verbs;

namespace MiniVmm.Tests.Control;

/// <summary>What each verb's client makes of its answer.</summary>
[Collection(RuntimeFolder.Collection)]
[SupportedOSPlatform("linux")]
public sealed class VerbOutcomeTests : IDisposable
{
    private const ulong Large = 96 * FakeMachine.MiB;

    private readonly RuntimeFolder _runtime = new();

    public void Dispose() => _runtime.Dispose();

    [Fact]
    public void Info_is_a_line_of_the_list_of_machines()
    {
        AnswerTable table = Assert.Single(Ask(new InfoVerb(), new FakeMachine()).Tables);

        Assert.Equal(["name", "process", "vCPUs", "memory", "up", "kernel"], table.Columns.Select(column => column.Title));
        IReadOnlyList<string> row = Assert.Single(table.Rows);
        Assert.Equal(["web", "2", "256 MiB", "kernels/vmlinuz"], [row[0], row[2], row[3], row[5]]);
    }

    [Fact]
    public void Statistics_are_tables_of_memory_devices_and_exits_by_vCPU()
    {
        IReadOnlyList<AnswerTable> tables = Ask(new StatsVerb(), new FakeMachine()).Tables;

        Assert.Equal(["memory", "device", "exits by reason"], tables.Select(table => table.Columns[0].Title));
        Assert.Contains(tables[0].Rows, row => row.SequenceEqual(["guest RAM", "256 MiB, anonymous"]));
        Assert.Contains(tables[0].Rows, row => row.SequenceEqual(["  guest's freeMemory", "128.0 MiB"]));
        Assert.Contains(tables[0].Rows, row => row.SequenceEqual(["  guest's majorFaults", "3"]));
        Assert.Equal([["disk0", "blk", "reads 4"]], tables[1].Rows);
        Assert.Equal([["KVM_EXIT_IO", "10", "0"], ["KVM_EXIT_MMIO", "2", "0"], ["all", "12", "0"]], tables[2].Rows);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"memory":[],"devices":{},"vcpus":7}""")]
    [InlineData("""{"memory":{"ramBytes":"much","balloon":7,"ksm":{"process":[]}},"devices":[1],"vcpus":["x"]}""")]
    [InlineData("""{"vcpus":[{"byReason":{"a":9223372036854775807}},{"byReason":{"a":9223372036854775807}}]}""")]
    public void What_an_older_or_newer_machine_tells_otherwise_is_left_out(string statistics)
    {
        using JsonDocument document = JsonDocument.Parse(statistics);
        IReadOnlyList<AnswerTable> tables = StatsTables.Of(new AnswerObject(document.RootElement));

        Assert.All(tables, table => Assert.All(table.Rows, row => Assert.Equal(table.Columns.Count, row.Count)));
    }

    [Fact]
    public void A_balloon_is_waited_for_while_the_guest_gets_on_both_ways()
    {
        FakeMachine slow = new() { Step = 32 * FakeMachine.MiB };
        BalloonVerb verb = new(stall: TimeSpan.FromSeconds(30));

        VerbOutcome grown = Ask(verb, slow, BalloonVerb.Of(Large));
        VerbOutcome shrunk = Ask(verb, slow, BalloonVerb.Of(0));

        Assert.Equal(("balloon: 96 MiB", null), (grown.Line, grown.Shortfall));
        Assert.Equal(Large, grown.Content.GetProperty("actualBytes").GetUInt64());
        Assert.Equal(("balloon: 0 bytes", null), (shrunk.Line, shrunk.Shortfall));
    }

    [Fact]
    public void A_balloon_that_gets_no_further_is_told_as_far_as_it_is()
    {
        FakeMachine hungry = new() { MostActual = 40 * FakeMachine.MiB };
        BalloonVerb verb = new(stall: TimeSpan.FromMilliseconds(100));

        VerbOutcome set = Ask(verb, hungry, BalloonVerb.Of(Large));
        VerbOutcome shown = Ask(verb, hungry);

        Assert.Equal("balloon: 40 MiB of 96 MiB", set.Line);
        Assert.Contains("given up 40 MiB of 96 MiB", set.Shortfall, StringComparison.Ordinal);
        Assert.Equal((set.Line, null), (shown.Line, shown.Shortfall));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_power_button_is_pressed_once_and_a_guest_that_does_not_listen_to_it_is_reported(bool listens)
    {
        FakeMachine machine = new() { ListensToButton = listens };

        VerbOutcome outcome = Ask(new PowerdownVerb(), machine);

        Assert.Equal(1, machine.Presses);
        Assert.Equal(listens, outcome.Content.GetProperty("guestListens").GetBoolean());
        Assert.Equal(listens, outcome.Shortfall is null);
        if (!listens)
            Assert.StartsWith("the guest does not listen to its power button", outcome.Shortfall, StringComparison.Ordinal);
    }

    private static VerbOutcome Ask(ControlVerb verb, FakeMachine machine, VerbArguments? arguments = null)
    {
        using ControlServer server = ControlServer.Listen("web", machine);
        using ControlClient client = ControlClient.Connect("web");
        return verb.Ask(client, arguments ?? new VerbArguments());
    }
}
