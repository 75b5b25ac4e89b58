using System.Runtime.Versioning;
using System.Text.Json;
using MiniVmm.Control;
using MiniVmm.Control.Verbs;
using MiniVmm.Virtio.Balloon;

namespace MiniVmm.Tests.Control;

/// <summary>What each verb's client makes of its answer.</summary>
[Collection(RuntimeFolder.Collection)]
[SupportedOSPlatform("linux")]
public sealed class VerbOutcomeTests : IDisposable
{
    private const ulong Large = 96 * FakeMachine.MiB;

    private readonly RuntimeFolder _runtime = new();

    public void Dispose() => _runtime.Dispose();

    [Theory]
    [InlineData(MachineState.Running, "running")]
    [InlineData(MachineState.Restarting, "restarting")]
    public void Info_is_a_line_of_the_list_of_machines(MachineState state, string word)
    {
        VerbOutcome outcome = Ask(new InfoVerb(), new FakeMachine { NextStates = new([state]) });

        AnswerTable table = Assert.Single(outcome.Tables);
        Assert.Equal(
            ["name", "process", "state", "vCPUs", "memory", "up", "kernel"], table.Columns.Select(column => column.Title));
        IReadOnlyList<string> row = Assert.Single(table.Rows);
        Assert.Equal(["web", word, "2", "256 MiB", "kernels/vmlinuz"], [row[0], row[2], row[3], row[4], row[6]]);
        Assert.Equal(word, outcome.Content.GetProperty("state").GetString());
    }

    [Fact]
    public void A_machine_that_does_not_run_is_not_up()
    {
        FakeMachine stopped = new()
        {
            Info = new("kernels/vmlinuz", 2, 4, 256 * FakeMachine.MiB, null),
            NextStates = new([MachineState.Stopped]),
        };

        Assert.Equal("", Assert.Single(Ask(new InfoVerb(), stopped).Tables).Rows[0][5]);
    }

    [Fact]
    public void An_older_machine_does_not_say_its_state()
    {
        using JsonDocument info = JsonDocument.Parse("""{"version":1,"name":"web","pid":1,"kernel":"k"}""");

        AnswerTable table = InfoVerb.List([info.RootElement]);

        Assert.Equal("", table.Rows[0][2]);
        Assert.Equal(table.Columns.Count, table.Rows[0].Count);
    }

    [Fact]
    public void A_stop_is_over_when_the_host_has_stopped_the_machine()
    {
        FakeMachine machine = Machine(MachineState.Running, MachineState.Stopping, MachineState.Stopped, MachineState.Running);

        Assert.Null(Ask(new StopVerb(), machine).Shortfall);

        Assert.Equal((1, 1), (machine.Stops, machine.NextStates.Count));
    }

    [Fact]
    public void A_start_is_over_when_the_machine_runs()
    {
        FakeMachine machine = Machine(MachineState.Restarting, MachineState.Starting, MachineState.Running, MachineState.Failed);

        Assert.Null(Ask(new StartVerb(), machine).Shortfall);

        Assert.Equal((1, 1), (machine.Starts, machine.NextStates.Count));
    }

    [Fact]
    public void A_restart_is_over_when_the_machine_runs_again()
    {
        FakeMachine machine = Machine(
            MachineState.Running, MachineState.Starting, MachineState.Running, MachineState.Failed);

        Assert.Null(Ask(new RestartVerb(), machine).Shortfall);

        Assert.Equal((1, 1), (machine.Restarts, machine.NextStates.Count));
    }

    [Theory]
    [InlineData("start")]
    [InlineData("restart")]
    public void A_machine_that_fails_as_soon_as_it_runs_is_reported(string verb) => Assert.Equal(
        "the machine has failed; the log of its host says why",
        Ask(ControlVerbs.Find(ControlVerbs.All, verb)!, Machine(MachineState.Starting, MachineState.Failed)).Shortfall);

    [Theory]
    [InlineData("start")]
    [InlineData("restart")]
    public void Only_a_host_can_start_a_machine_again(string verb) => Assert.Equal(
        "machine web: it was started by 'minivmm run'; only machines of 'minivmm serve' can be started again",
        Assert.Throws<BadInputException>(() =>
            Ask(ControlVerbs.Find(ControlVerbs.All, verb)!, new FakeMachine { HasHost = false })).Message);

    [Fact]
    public void Statistics_are_tables_of_memory_devices_and_exits_by_vCPU()
    {
        IReadOnlyList<AnswerTable> tables = Ask(new StatsVerb(), new FakeMachine()).Tables;

        Assert.Equal(
            ["memory", "device", "exits by reason", "completed for KVM", "counted by KVM", "measured by KVM, ns", "counted by KVM"], tables.Select(table => table.Columns[0].Title));
        Assert.Contains(tables[0].Rows, row => row.SequenceEqual(["guest RAM", "256 MiB, anonymous"]));
        Assert.Contains(tables[0].Rows, row => row.SequenceEqual(["  guest's freeMemory", "128.0 MiB"]));
        Assert.Contains(tables[0].Rows, row => row.SequenceEqual(["  guest's majorFaults", "3"]));
        Assert.Equal([["disk0", "blk", "reads 4"]], tables[1].Rows);
        Assert.Equal(["exits by reason", "vCPU 0", "vCPU 1, out"], tables[2].Columns.Select(column => column.Title));
        Assert.Equal([["KVM_EXIT_IO", "10", "0"], ["KVM_EXIT_MMIO", "2", "0"], ["all", "12", "0"]], tables[2].Rows);
        Assert.Equal([["halt_exits", "5", "0"]], tables[4].Rows);
        Assert.Equal([["halt_wait_ns", "6", "0"]], tables[5].Rows);
        Assert.Equal(["counted by KVM", "machine"], tables[6].Columns.Select(column => column.Title));
        Assert.Equal([["pages_4k", "9"]], tables[6].Rows);
    }

    [Fact]
    public void Where_KVM_counts_nothing_that_is_said()
    {
        FakeMachine machine = new();
        machine.Statistics = machine.Statistics with { Kvm = null, Vcpus = [new VcpuCounts(true, 1, new Dictionary<string, long>())] };

        AnswerTable last = Ask(new StatsVerb(), machine).Tables[^1];

        Assert.Equal("counted by KVM", last.Columns[0].Title);
        Assert.Equal([["nothing: that needs Linux 5.14", ""]], last.Rows);
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

    [Theory]
    [InlineData("""{"ramBytes":1048576}""", "guest RAM: 1 MiB")]
    [InlineData("""{"ramBytes":1048576,"backing":""}""", "guest RAM: 1 MiB")]
    [InlineData("""{"ramBytes":1048576,"backing":"anonymous"}""", "guest RAM: 1 MiB, anonymous")]
    [InlineData("""{"backing":"anonymous"}""")]
    [InlineData("""{"residentBytes":null,"hugetlbBytes":0}""")]
    [InlineData("""{"residentBytes":2097152,"hugetlbBytes":2097152}""", "resident: 2.0 MiB", "on hugetlbfs: 2.0 MiB")]
    [InlineData("""{"balloon":{}}""")]
    [InlineData("""{"balloon":{"targetBytes":0,"actualBytes":0}}""", "balloon: 0 bytes")]
    [InlineData("""{"ksm":{"host":{"run":0}}}""", "KSM of the host: off (echo 1 > /sys/kernel/mm/ksm/run)")]
    public void A_row_has_what_the_machine_tells_and_no_more(string memory, params string[] rows)
    {
        using JsonDocument document = JsonDocument.Parse($"{{\"memory\":{memory}}}");

        AnswerTable table = Assert.Single(StatsTables.Of(new AnswerObject(document.RootElement)));

        Assert.Equal(rows, table.Rows.Select(row => string.Join(": ", row)));
    }

    [Fact]
    public void Of_the_guests_figures_sizes_are_shown_as_sizes()
    {
        string[] sizes = ["swapIn", "swapOut", "freeMemory", "totalMemory", "availableMemory", "diskCaches"];
        BalloonStatistics all = new([.. Enumerable.Repeat<ulong?>(1 << 20, BalloonStatistics.Tags)]);
        FakeMachine machine = new();
        machine.Statistics = machine.Statistics with { GuestMemory = all.ByName() };

        IEnumerable<IReadOnlyList<string>> rows = Ask(new StatsVerb(), machine).Tables[0].Rows
            .Where(row => row[0].StartsWith("  guest's ", StringComparison.Ordinal));

        Assert.Equal(BalloonStatistics.Tags, rows.Count());
        Assert.All(rows, row => Assert.Equal(sizes.Contains(row[0].Split(' ')[^1]) ? "1.0 MiB" : "1,048,576", row[1]));
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
        Assert.StartsWith("the guest has given up 40 MiB of 96 MiB", set.Shortfall, StringComparison.Ordinal);
        Assert.Equal((set.Line, null), (shown.Line, shown.Shortfall));
    }

    [Theory]
    [InlineData(40, "40 MiB", "balloon: 40 MiB, shrinking to 32 MiB")]
    [InlineData(32, "32 MiB", "balloon: 32 MiB")]
    public void A_balloon_that_another_client_sets_meanwhile_is_reported_as_such(int step, string holds, string line)
    {
        FakeMachine shared = new()
        {
            Step = (ulong)step * FakeMachine.MiB,
            BeforeLook = machine =>
            {
                if (machine.Looks == 4)
                    machine.SetBalloon(32 * FakeMachine.MiB);
            },
        };

        VerbOutcome set = Ask(new BalloonVerb(stall: TimeSpan.FromMinutes(1)), shared, BalloonVerb.Of(Large));

        Assert.Equal($"another client has since set the balloon to 32 MiB; it holds {holds} so far", set.Shortfall);
        Assert.Equal(line, set.Line);
    }

    [Fact]
    public void What_the_machine_has_not_done_is_in_the_JSON_beside_the_answer()
    {
        using JsonDocument answer = JsonDocument.Parse("""{"actualBytes":7}""");

        Assert.Equal("""{"actualBytes":7}""", Json(new() { Content = answer.RootElement }));
        Assert.Equal("""{"actualBytes":7,"shortfall":"no driver"}""", Json(new() { Content = answer.RootElement, Shortfall = "no driver" }));
        Assert.Equal("""{"shortfall":"too long"}""", Json(new() { Shortfall = "too long" }));
        Assert.False(new VerbOutcome { Line = "done" }.HasJson);

        static string Json(VerbOutcome outcome)
        {
            Assert.True(outcome.HasJson);
            using MemoryStream json = new();
            using (Utf8JsonWriter writer = new(json))
                outcome.WriteTo(writer);
            return System.Text.Encoding.UTF8.GetString(json.ToArray());
        }
    }

    [Fact]
    public void A_paused_guests_balloon_is_not_waited_for_and_its_pause_is_the_reason()
    {
        FakeMachine paused = new() { IsPaused = true };

        VerbOutcome set = Ask(new BalloonVerb(stall: TimeSpan.FromMinutes(1)), paused, BalloonVerb.Of(Large));

        Assert.Equal(
            "the guest is paused, so its balloon still holds 0 bytes; it can reach 96 MiB only once resumed", set.Shortfall);
        Assert.Equal(Large, set.Content.GetProperty("targetBytes").GetUInt64());
    }

    [Fact]
    public void A_guest_that_is_paused_during_the_wait_is_reported_as_paused()
    {
        FakeMachine machine = new()
        {
            MostActual = 40 * FakeMachine.MiB,
            BeforeLook = machine => machine.IsPaused = machine.Looks > 2,
        };

        VerbOutcome set = Ask(new BalloonVerb(stall: TimeSpan.FromMilliseconds(100)), machine, BalloonVerb.Of(Large));

        Assert.StartsWith("the guest is paused, so its balloon still holds 40 MiB;", set.Shortfall, StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_is_waited_for_both_ways_and_shown_with_its_bounds()
    {
        FakeMachine slow = new() { Memory = Sizes(256, 256), Step = 100 * FakeMachine.MiB };
        MemoryVerb verb = new(stall: TimeSpan.FromSeconds(30));

        VerbOutcome grown = Ask(verb, slow, MemoryVerb.Of(1024 * FakeMachine.MiB));
        VerbOutcome shrunk = Ask(verb, slow, MemoryVerb.Of(512 * FakeMachine.MiB));

        Assert.Equal(("memory: 1 GiB (from 256 MiB to 2 GiB)", null), (grown.Line, grown.Shortfall));
        Assert.Equal(("memory: 512 MiB (from 256 MiB to 2 GiB)", null), (shrunk.Line, shrunk.Shortfall));
        Assert.Equal(512 * FakeMachine.MiB, shrunk.Content.GetProperty("actualBytes").GetUInt64());
        Assert.Contains(
            Ask(new StatsVerb(), slow).Tables[0].Rows,
            row => row.SequenceEqual(["  with what was plugged", "512 MiB, at most 2 GiB"]));
    }

    [Fact]
    public void Memory_that_the_guest_does_not_take_or_give_is_told_as_far_as_it_is()
    {
        FakeMachine stuck = new() { Memory = Sizes(600, 600), Step = 0 };
        MemoryVerb verb = new(stall: TimeSpan.FromMilliseconds(100));

        VerbOutcome more = Ask(verb, stuck, MemoryVerb.Of(1024 * FakeMachine.MiB));
        VerbOutcome less = Ask(verb, stuck, MemoryVerb.Of(256 * FakeMachine.MiB));

        Assert.Equal("memory: 600 MiB of 1 GiB (from 256 MiB to 2 GiB)", more.Line);
        Assert.StartsWith("the guest has 600 MiB of 1 GiB and takes no more", more.Shortfall, StringComparison.Ordinal);
        Assert.Equal("memory: 600 MiB, shrinking to 256 MiB (from 256 MiB to 2 GiB)", less.Line);
        Assert.StartsWith("the guest still has 600 MiB, not 256 MiB", less.Shortfall, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(255, "255 MiB is less than the guest started with, 256 MiB")]
    [InlineData(2049, "2049 MiB is more than the guest can get, 2 GiB")]
    public void Memory_that_the_guest_cannot_have_is_refused(int mib, string problem)
    {
        FakeMachine machine = new() { Memory = Sizes(300, 300) };

        BadInputException refused = Assert.Throws<BadInputException>(
            () => Ask(new MemoryVerb(), machine, MemoryVerb.Of((ulong)mib * FakeMachine.MiB)));

        Assert.Contains(problem, refused.Message, StringComparison.Ordinal);
        Assert.Equal(300 * FakeMachine.MiB, machine.Memory!.TargetBytes);
    }

    [Fact]
    public void A_machine_with_all_of_its_memory_says_how_to_start_one_that_gets_more() => Assert.EndsWith(
        "this machine's memory is fixed; start it with a max, as in 256M,max=1G",
        Assert.Throws<BadInputException>(() => Ask(new MemoryVerb(), new FakeMachine { Memory = null })).Message,
        StringComparison.Ordinal);

    [Theory]
    [InlineData(4, "cpus: 4")]
    [InlineData(1, "cpus: 1 of at most 4")]
    [InlineData(2, "cpus: 2 of at most 4")]
    public void A_guest_is_waited_for_until_it_has_answered_about_each_vCPU(int count, string line)
    {
        FakeMachine machine = new();

        VerbOutcome outcome = Ask(new CpusVerb(silence: TimeSpan.FromSeconds(30)), machine, CpusVerb.Of(count));

        Assert.Equal((line, null), (outcome.Line, outcome.Shortfall));
        Assert.Equal((count, 0), (outcome.Content.GetProperty("present").GetInt32(), outcome.Content.GetProperty("pending").GetInt32()));
    }

    [Theory]
    [InlineData(4, true, 0x81u, "the guest does not take vCPU 3: its driver failed (_OST 0x81)")]
    [InlineData(1, false, 0x82u, "the guest does not give up vCPU 3: it is busy (_OST 0x82)")]
    [InlineData(1, false, 0x12345u, "the guest does not give up vCPU 3: _OST 0x12345")]
    public void A_guests_refusal_of_a_vCPU_is_told_with_its_reason(int count, bool insertion, uint status, string shortfall)
    {
        FakeMachine machine = new() { Refusal = new(3, insertion, status) };

        VerbOutcome outcome = Ask(new CpusVerb(silence: TimeSpan.FromSeconds(30)), machine, CpusVerb.Of(count));

        Assert.Equal(shortfall, outcome.Shortfall);
    }

    [Fact]
    public void A_guest_that_says_nothing_of_its_vCPUs_is_told_so()
    {
        VerbOutcome outcome = Ask(new CpusVerb(TimeSpan.FromMilliseconds(50)), new FakeMachine { IsSilent = true }, CpusVerb.Of(4));

        Assert.StartsWith("the guest has not answered about 2 vCPUs in time", outcome.Shortfall, StringComparison.Ordinal);
    }

    [Fact]
    public void A_paused_guest_is_not_waited_for_to_answer_about_vCPUs()
    {
        VerbOutcome outcome = Ask(new CpusVerb(TimeSpan.FromMinutes(1)), new FakeMachine { IsPaused = true }, CpusVerb.Of(1));

        Assert.Equal("the guest is paused, and can answer only once resumed; the machine has 2", outcome.Shortfall);
    }

    [Fact]
    public void Another_client_that_wants_another_number_of_vCPUs_ends_the_wait()
    {
        FakeMachine machine = new() { BeforeCpus = machine => machine.SetCpus(3) };

        VerbOutcome outcome = Ask(new CpusVerb(TimeSpan.FromMinutes(1)), machine, CpusVerb.Of(1));

        Assert.Equal("another client has since asked for 3; the machine has 3", outcome.Shortfall);
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

    [Fact]
    public void A_screenshot_is_written_by_the_client()
    {
        string file = Path.Combine(_runtime.Path, "now.png");
        ScreenshotVerb verb = new();
        TextArgument name = Assert.IsType<TextArgument>(Assert.Single(verb.Arguments));

        Ask(verb, new FakeMachine { Picture = [1, 2, 3] }, new VerbArguments().Set(name, file));

        Assert.Equal([1, 2, 3], File.ReadAllBytes(file));
        Assert.StartsWith(
            $"{_runtime.Path}: cannot be written: ",
            Assert.Throws<BadInputException>(() => Ask(verb, new FakeMachine(), new VerbArguments().Set(name, _runtime.Path))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_text_is_typed_in_pieces_that_any_guest_has_room_for()
    {
        FakeMachine machine = new();
        TypeVerb verb = new();

        VerbOutcome outcome = Ask(verb, machine, Words(verb, @"echo \\ 123\n\\nx"));

        Assert.Equal("echo \\ 1|23\n\\nx|", machine.Typed);
        Assert.Null(outcome.Shortfall);
    }

    [Fact]
    public void A_guest_that_does_not_read_its_keyboard_is_reported()
    {
        KeysVerb verb = new();

        VerbOutcome outcome = Ask(verb, new FakeMachine { ReadsKeyboard = false }, Words(verb, "ctrl-c"));

        Assert.Equal("the guest does not read its keyboard: 6 bytes of scan codes wait", outcome.Shortfall);
    }

    private static VerbArguments Words(ControlVerb verb, string word) =>
        new VerbArguments().Set(Assert.IsType<TextArgument>(Assert.Single(verb.Arguments)), word);

    private static MemoryState Sizes(ulong target, ulong actual) => new(
        256 * FakeMachine.MiB, 2048 * FakeMachine.MiB, target * FakeMachine.MiB, actual * FakeMachine.MiB);

    private static FakeMachine Machine(params IEnumerable<MachineState> states) => new() { NextStates = new(states) };

    private static VerbOutcome Ask(ControlVerb verb, FakeMachine machine, VerbArguments? arguments = null)
    {
        using ControlServer server = ControlServer.Listen("web", machine);
        using ControlClient client = ControlClient.Connect("web");
        return verb.Ask(client, arguments ?? new VerbArguments());
    }
}
