using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using MiniVmm.Tests;

namespace MiniVmm.Guest.Tests;

/// <summary>Machines with a name: what <c>minivmm ps</c> and <c>minivmm ctl</c> see of them and do to them.</summary>
public sealed class ControlTests : IClassFixture<UsableKvm>, IDisposable
{
    private static readonly string Crash = Built.Guest("crash.elf");
    private readonly TemporaryFolder _runtime = new();

    public void Dispose() => _runtime.Dispose();

    [Fact]
    public async Task A_machine_without_a_name_leaves_no_trace_and_is_not_listed()
    {
        using MinivmmProcess vmm = Start("run", Crash, "--append", "hang");
        await vmm.Output.WaitForAsync("crash: endless loop");

        MinivmmResult list = await RunAsync("ps");

        Assert.Equal(["name"], Names(list));
        Assert.Empty(_runtime.Entries);
    }

    [Fact]
    public async Task Machines_with_names_are_listed_and_described()
    {
        using MinivmmProcess web = await StartHangingAsync("web", "--smp", "2", "--mem", "64M");
        using MinivmmProcess database = await StartHangingAsync("db");

        MinivmmResult list = await RunAsync("ps");
        MinivmmResult json = await RunAsync("ps", "--json");

        Assert.Equal(["name", "db", "web"], Names(list));
        Assert.Matches(@"(?m)^web +[0-9]+ +running +2 +64 MiB +[0-9:]+ +\S*crash\.elf", list.Output);
        JsonArray machines = JsonNode.Parse(json.With(ExitStatus.Success).Output)!.AsArray();
        Assert.Equal(["db", "web"], machines.Select(machine => (string?)machine!["name"]));
    }

    [Fact]
    public async Task Statistics_are_told_while_the_guest_runs_and_are_as_the_schema_says()
    {
        using MinivmmProcess web = await StartHangingAsync("web", "--smp", "2");

        MinivmmResult text = await RunAsync("ctl", "web", "stats");
        MinivmmResult json = await RunAsync("ctl", "web", "stats", "--json");
        Assert.Matches("(?m)^KVM_EXIT_IO +[1-9][0-9]* +0", text.With(ExitStatus.Success).Output);
        Assert.Matches(@"(?m)^resident +[0-9.]+ MiB", text.Output);
        string answer = $$"""{"ok":true,"statistics":{{json.With(ExitStatus.Success).Output}}}""";
        Assert.Empty(JsonSchema.Load("control.schema.json").Errors(answer));
        Assert.Equal(2, JsonDocument.Parse(json.Output).RootElement.GetProperty("vcpus").GetArrayLength());
        Assert.Matches("(?m)^exits +[1-9]", text.Output);
        Assert.True(JsonNode.Parse(json.Output)!["vcpus"]![0]!["kvm"]!["exits"]!.GetValue<long>() > 0, json.Output);
    }

    [Fact]
    public async Task KVMs_statistics_files_are_opened_when_somebody_asks_first_and_no_more_later()
    {
        using MinivmmProcess web = await StartHangingAsync("web", "--smp", "2");
        int before = Files();

        (await RunAsync("ctl", "web", "stats")).With(ExitStatus.Success);
        int after = Files();
        (await RunAsync("ctl", "web", "stats")).With(ExitStatus.Success);

        Assert.Equal((0, 3, 3), (before, after, Files())); // each vCPU's, and the machine's

        int Files() => Directory.EnumerateFileSystemEntries($"/proc/{web.Id}/fd")
            .Count(file => new FileInfo(file).LinkTarget is { } target && target.Contains("stats", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Statistics_are_told_of_a_paused_machine_and_of_vCPUs_that_have_never_run()
    {
        using MinivmmProcess web = await StartHangingAsync("web", "--smp", "2");
        (await RunAsync("ctl", "web", "pause")).With(ExitStatus.Success);

        MinivmmResult json = await RunAsync("ctl", "web", "stats", "--json");

        Assert.Equal(1, JsonNode.Parse(json.With(ExitStatus.Success).Output)!["vcpus"]![0]!["kvm"]!.AsObject().Count(counter => counter.Key == "exits"));
        Assert.NotNull(JsonNode.Parse(json.Output)!["vcpus"]![1]!["kvm"]);
    }

    [Fact]
    public async Task Stop_ends_the_machine_before_it_returns()
    {
        using MinivmmProcess web = await StartHangingAsync("web");

        (await RunAsync("ctl", "web", "stop")).With(ExitStatus.Success);

        Assert.Equal(["name"], Names(await RunAsync("ps")));
        (await web.EndAsync()).With(ExitStatus.Interrupted);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_runtime["minivmm"]));
    }

    [Fact]
    public async Task The_power_button_of_a_guest_without_a_driver_for_it_says_so_and_the_guest_runs_on()
    {
        using MinivmmProcess web = await StartHangingAsync("web");

        MinivmmResult press = await RunAsync("ctl", "web", "powerdown");

        Assert.Contains(
            "ctl web powerdown: the guest does not listen to its power button",
            press.With(ExitStatus.HostLimit).Errors,
            StringComparison.Ordinal);
        Assert.Equal(["name", "web"], Names(await RunAsync("ps")));
    }

    [Fact]
    public async Task A_running_machine_is_traced_for_a_while_and_not_before_or_behind_it()
    {
        using MinivmmProcess web = Start("run", "--name", "web", "--stats", "--smp", "2", Crash, "--append", "loop-io");
        await web.Output.WaitForAsync("crash: endless writes");
        Assert.Equal("trace: off\n", (await RunAsync("ctl", "web", "trace")).With(ExitStatus.Success).Output);

        MinivmmResult on = await RunAsync("ctl", "web", "trace", "io,port=0x80,limit=500", _runtime["trace.json"]);
        MinivmmResult again = await RunAsync("ctl", "web", "trace", "io");
        MinivmmResult off = await RunAsync("ctl", "web", "trace", "stop");
        MinivmmResult summary = await RunAsync("trace", "summary", _runtime["trace.json"]);
        MinivmmResult lines = await RunAsync("ctl", "web", "trace", "io,limit=3");
        await web.Errors.WaitForAsync("io 80 <- ");
        await RunAsync("ctl", "web", "stop");
        MinivmmResult end = await web.EndAsync();

        Assert.StartsWith("trace: on, io,port=0x80,limit=500: ", on.With(ExitStatus.Success).Output, StringComparison.Ordinal);
        Assert.Contains("the machine is traced already: io,port=0x80,limit=500", again.With(ExitStatus.BadInput).OnlyLine(), StringComparison.Ordinal);
        Assert.Matches("^trace: off, io,port=0x80,limit=500: [1-9][0-9]* events", off.With(ExitStatus.Success).Output);
        Assert.Matches("(?m)^port 0x80 +[1-9]", summary.With(ExitStatus.Success).Output);
        lines.With(ExitStatus.Success);
        Assert.Matches("(?m)^bytes allocated +0 +0", end.Errors);
    }

    [Fact]
    public async Task A_machine_of_serve_is_traced_into_a_file_and_into_the_log()
    {
        await File.WriteAllTextAsync(
            _runtime["vms.json"],
            $$"""{ "VirtualMachines": { "web": { "Kernel": "{{Crash}}", "Append": "loop-io" } } }""",
            TestContext.Current.CancellationToken);
        using MinivmmProcess serve = Start("serve", _runtime["vms.json"]);
        await serve.Output.WaitForAsync("crash: endless writes");

        MinivmmResult on = await RunAsync("ctl", "web", "trace", "io,port=0x80,limit=500", _runtime["trace.pftrace"]);
        MinivmmResult off = await RunAsync("ctl", "web", "trace", "stop");
        MinivmmResult summary = await RunAsync("trace", "summary", _runtime["trace.pftrace"]);
        MinivmmResult lines = await RunAsync("ctl", "web", "trace", "io,limit=3");
        await serve.Output.WaitForAsync("MiniVmm.web.Trace");
        serve.Signal(MinivmmProcess.SIGTERM);
        await serve.EndAsync();

        on.With(ExitStatus.Success);
        Assert.Matches("^trace: off, io,port=0x80,limit=500: [1-9][0-9]* events", off.With(ExitStatus.Success).Output);
        Assert.Matches("(?m)^port 0x80 +[1-9]", summary.With(ExitStatus.Success).Output);
        lines.With(ExitStatus.Success);
    }

    [Fact]
    public async Task A_guest_that_ends_by_itself_takes_its_socket_with_it()
    {
        MinivmmResult run = await RunAsync("run", "--name", "web", Built.Guest("hello.elf"));

        run.With(ExitStatus.Success);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_runtime["minivmm"]));
    }

    [Fact]
    public async Task A_name_in_use_is_refused_and_one_of_a_killed_machine_is_not()
    {
        using MinivmmProcess first = await StartHangingAsync("web");
        MinivmmResult refused = await RunAsync("run", "--name", "web", Built.Guest("hello.elf"));

        first.Signal(MinivmmProcess.SIGKILL);
        await first.EndAsync();
        MinivmmResult next = await RunAsync("run", "--name", "web", Built.Guest("hello.elf"));

        Assert.StartsWith("--name web: ", refused.With(ExitStatus.BadInput).OnlyLine(), StringComparison.Ordinal);
        next.With(ExitStatus.Success);
    }

    [Fact]
    public async Task A_killed_machine_is_not_listed_and_its_socket_removed()
    {
        using MinivmmProcess web = await StartHangingAsync("web");

        web.Signal(MinivmmProcess.SIGKILL);
        await web.EndAsync();

        Assert.Equal(["name"], Names(await RunAsync("ps")));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_runtime["minivmm"]));
    }

    [Fact]
    public async Task A_machine_without_a_balloon_refuses_to_size_it()
    {
        using MinivmmProcess web = await StartHangingAsync("web");

        MinivmmResult refused = await RunAsync("ctl", "web", "balloon", "96M");

        Assert.Contains("no balloon", refused.With(ExitStatus.BadInput).OnlyLine(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mail", "stats", "running: web")]
    [InlineData("../web", "stats", "not a valid name")]
    [InlineData("web", "reboot", "info, stats, balloon, memory, cpus, screenshot, type, keys, trace, start, pause, resume, powerdown, stop or restart")]
    [InlineData("web", "balloon 96X", "not a size")]
    [InlineData("web", "stop now", "one word too many")]
    [InlineData("web", "stop now again", "one word too many")]
    public async Task What_cannot_be_asked_is_told_in_one_line(string name, string command, string why)
    {
        using MinivmmProcess web = await StartHangingAsync("web");

        MinivmmResult refused = await RunAsync(["ctl", name, .. command.Split(' ')]);

        Assert.Contains(why, refused.With(ExitStatus.BadInput).OnlyLine(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_machine_that_is_stopped_is_reported_and_holds_up_no_list()
    {
        using MinivmmProcess web = await StartHangingAsync("web");
        using MinivmmProcess database = await StartHangingAsync("db");
        await web.SuspendAsync();

        MinivmmResult list = await RunAsync("ps");
        MinivmmResult info = await RunAsync("ctl", "web", "info");
        web.Resume();

        Assert.Equal(["name", "db"], Names(list));
        Assert.Contains("web does not answer", list.Errors, StringComparison.Ordinal);
        Assert.Contains("web does not answer", info.With(ExitStatus.HostLimit).OnlyLine(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_that_is_no_machines_is_reported_and_holds_up_no_list()
    {
        using MinivmmProcess database = await StartHangingAsync("db");
        using Socket odd = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        odd.Bind(new UnixDomainSocketEndPoint(Path.Combine(_runtime["minivmm"], "odd.sock")));
        odd.Listen();
        using CancellationTokenSource end = new();
        Task serving = ServeAsync(odd, "{\"ok\":true}\n"u8.ToArray(), end.Token);

        MinivmmResult list = await RunAsync("ps");
        MinivmmResult stats = await RunAsync("ctl", "odd", "stats");
        await end.CancelAsync();
        await serving;

        Assert.Equal(["name", "db"], Names(list));
        Assert.Contains("odd sent a reply that is not protocol JSON", list.Errors, StringComparison.Ordinal);
        Assert.Contains(
            "odd sent a reply that is not protocol JSON",
            stats.With(ExitStatus.HostLimit).OnlyLine(),
            StringComparison.Ordinal);
    }

    /// <summary>Gives everyone who asks anything the same line.</summary>
    private static async Task ServeAsync(Socket listener, byte[] answer, CancellationToken end)
    {
        byte[] request = new byte[4096];
        while (!end.IsCancellationRequested)
        {
            try
            {
                using Socket client = await listener.AcceptAsync(end);
                while (await client.ReceiveAsync(request, end) > 0)
                    await client.SendAsync(answer, end);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // It only looked whether somebody listens.
            }
        }
    }

    private static string[] Names(MinivmmResult list) =>
        [.. list.With(ExitStatus.Success).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ')[0])];

    private async Task<MinivmmProcess> StartHangingAsync(string name, params IEnumerable<string> options)
    {
        MinivmmProcess vmm = Start(["run", "--name", name, .. options, Crash, "--append", "hang"]);
        try
        {
            await vmm.Output.WaitForAsync("crash: endless loop");
            return vmm;
        }
        catch
        {
            vmm.Dispose();
            throw;
        }
    }

    private MinivmmProcess Start(params IEnumerable<string> arguments) =>
        MinivmmProcess.StartProgram("env", [$"XDG_RUNTIME_DIR={_runtime.Path}", Built.MiniVmm, .. arguments]);

    private async Task<MinivmmResult> RunAsync(params IEnumerable<string> arguments)
    {
        using MinivmmProcess process = Start(arguments);
        return await process.EndAsync();
    }
}
