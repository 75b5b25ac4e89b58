using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace MiniVmm.Guest.Tests;

/// <summary>The real gdb on a test kernel that starts without paging and goes on in the higher half, on two processors.</summary>
public sealed class GdbTests : IClassFixture<UsableKvm>, IDisposable
{
    private static readonly string Kernel = Built.Guest("debug.elf");
    private readonly TemporaryFolder _folder = new();

    private string Socket => _folder["gdb"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task It_stops_before_the_first_instruction_and_tells_all_registers()
    {
        using MinivmmProcess vmm = await StartAsync();
        string text = await GdbAsync("info registers", "p $cr0", "p $xmm0.v4_int32", "p $efer", "info threads", "continue");

        Assert.Matches(@"rip +0x100[0-9a-f]+ +0x100[0-9a-f]+ <start32>", text);
        Assert.Matches(@"eflags +0x2 +\[ *\]", text);
        Assert.Contains("$1 = [ PE ET ]", text, StringComparison.Ordinal);
        Assert.Contains("$2 = {0, 0, 0, 0}", text, StringComparison.Ordinal);
        Assert.Matches(@"\* 1 +Thread 1 \(CPU#0 \[running\]\)", text);
        Assert.Matches(@"  2 +Thread 2 \(CPU#1 \[waiting for SIPI\]\)", text);
        Assert.Contains("exited normally", text, StringComparison.Ordinal);
        Assert.EndsWith("debug: ok\n", (await vmm.EndAsync()).With(0).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Breakpoints_hit_before_paging_is_on_and_at_addresses_that_are_mapped_later()
    {
        using MinivmmProcess vmm = await StartAsync();
        string text = await GdbAsync(
            "break high_main", "break before_paging", "break tick if number == 2",
            "continue", "p/x $cr0 & 0x80000000", "continue", "p/x $cr0 & 0x80000000", "p/x $cr3", "bt", "continue", "p number", "p ticks",
            "delete", "continue");

        Assert.Matches(@"Breakpoint 2, .*before_paging", text);
        Assert.Contains("$1 = 0x0", text, StringComparison.Ordinal);
        Assert.Matches(@"Breakpoint 1, high_main", text);
        Assert.Contains("$2 = 0x80000000", text, StringComparison.Ordinal);
        Assert.Matches(@"\$3 = 0x10[0-9a-f]000\b", text);
        Assert.Matches(@"#0 +high_main \(", text);
        Assert.Matches(@"Breakpoint 3, tick \(number=(number@entry=)?2\)", text);
        Assert.Contains("$5 = 2", text, StringComparison.Ordinal); // what the last tick left
        Assert.Contains("exited normally", text, StringComparison.Ordinal);
        (await vmm.EndAsync()).With(0);
    }

    [Fact]
    public async Task More_breakpoints_than_debug_registers_hit_also_in_code_that_the_guest_unpacks_over_them()
    {
        using MinivmmProcess vmm = await StartAsync("wait");
        string[] at = [.. Enumerable.Range(1, 6).Select(i => $"unpacked_{i}")];
        string text = await GdbAsync(
        [
            "break high_main", .. at.Select(name => $"break *&{name}"), "continue", "delete 1",
            .. Enumerable.Repeat("continue", 12), "x/7xb unpacked", "delete", "set var go_on = 1", "continue",
        ]);

        for (int i = 1; i <= 6; i++)
            Assert.Contains($"Breakpoint {i + 1}, ", text, StringComparison.Ordinal);
        Assert.Matches(@"<unpacked(_1)?>:\s+0x90\s+0x90\s+0x90\s+0x90\s+0x90\s+0x90\s+0xc3", text);
        Assert.Contains("exited normally", text, StringComparison.Ordinal);
        (await vmm.EndAsync()).With(0);
    }

    [Fact]
    public async Task It_steps_by_instructions_and_by_lines()
    {
        using MinivmmProcess vmm = await StartAsync();
        string text = await GdbAsync(
            "stepi", "stepi", "stepi", "p/x $eax", "x/i $pc", "break change_watched", "continue", "next", "next", "p watched", "finish", "kill");

        Assert.Matches(@"before_paging", text);
        Assert.Contains("$1 = 0x1234", text, StringComparison.Ordinal);
        Assert.Contains("$2 = 2", text, StringComparison.Ordinal);
        Assert.Matches(@"\nhigh_main \(.* at debug/debug.c:\d+", text);
        (await vmm.EndAsync()).With(ExitStatus.Interrupted);
    }

    [Fact]
    public async Task A_range_of_instructions_is_one_packet()
    {
        using MinivmmProcess vmm = await StartAsync();
        string text = await GdbAsync(
            "break unpack", "continue", "delete", "eval \"maintenance packet vCont;r%lx,%lx:1\", &unpack, &ap_main",
            "maintenance flush register-cache", "p $pc", "set debug remote 1", "next", "set debug remote 0", "continue");

        // All of the function, its loop too, and back to where it was called.
        Assert.Matches(@"received: ""T05thread:1;""\n(.*\n)?\$1 = .*<high_main\+", text);
        Assert.Matches(@"Sending packet: \$vCont;r", text);
        Assert.DoesNotContain("Sending packet: $vCont;s", text, StringComparison.Ordinal);
        Assert.Contains("exited normally", text, StringComparison.Ordinal);
        (await vmm.EndAsync()).With(0);
    }

    [Fact]
    public async Task A_watchpoint_stops_where_the_variable_changes()
    {
        using MinivmmProcess vmm = await StartAsync();
        string text = await GdbAsync("break high_main", "continue", "watch watched", "continue", "p $pc", "delete", "continue");

        Assert.Contains("Hardware watchpoint 2: watched", text, StringComparison.Ordinal);
        Assert.Contains("Old value = 1", text, StringComparison.Ordinal);
        Assert.Contains("New value = 2", text, StringComparison.Ordinal);
        Assert.Matches(@"\$1 = .*<change_watched\+", text);
        Assert.Contains("exited normally", text, StringComparison.Ordinal);
        (await vmm.EndAsync()).With(0);
    }

    [Fact]
    public async Task A_watchpoint_stops_the_processor_that_wrote()
    {
        const int times = 150;
        using MinivmmProcess vmm = await StartAsync("wait");
        string text = await GdbAsync(
            ["break ap_tick", "continue", "delete", "watch ap_ticks", .. Enumerable.Repeat("continue", times), "delete", "set var go_on = 1", "continue"]);

        // The other one comes out after each instruction, too, and sees the change.
        string stops = text[text.IndexOf("Hardware watchpoint 2: ap_ticks", StringComparison.Ordinal)..];
        Assert.Equal(times, Regex.Count(stops, "Thread 2 hit Hardware watchpoint 2|^Hardware watchpoint 2: ap_ticks\n\nOld", RegexOptions.Multiline));
        Assert.DoesNotContain("Thread 1", stops, StringComparison.Ordinal);
        Assert.Contains("exited normally", text, StringComparison.Ordinal);
        (await vmm.EndAsync()).With(0);
    }

    [Fact]
    public async Task Each_processor_is_a_thread_that_has_registers_of_its_own()
    {
        using MinivmmProcess vmm = await StartAsync("wait");
        string text = await GdbAsync(
            "break ap_tick", "continue", "info threads", "bt 1", "thread 1", "p $cs_base", "thread 2", "p ap_ticks > 1000000", "delete",
            "set var go_on = 1", "continue");

        Assert.Matches(@"Thread 2 hit Breakpoint 1, ap_tick", text);
        Assert.Matches(@"\* 2 +Thread 2 \(CPU#1 \[running\]\) +ap_tick", text);
        Assert.Contains("exited normally", text, StringComparison.Ordinal);
        (await vmm.EndAsync()).With(0);
    }

    [Fact]
    public async Task Ctrl_C_stops_the_guest_and_it_goes_on_after_gdb_has_gone()
    {
        using MinivmmProcess vmm = await StartAsync("wait");

        // In batch mode gdb has no prompt at which a key could be pressed: a shell sends what the key would.
        string interrupt = "shell (sleep 1; kill -INT $PPID) &";
        string text = await GdbAsync(interrupt, "continue", "info threads", "p ticks", "set var go_on = 1", "detach");

        Assert.Contains("SIGINT", text, StringComparison.Ordinal);
        Assert.Contains("$1 = 3", text, StringComparison.Ordinal);
        Assert.EndsWith("debug: ok\n", (await vmm.EndAsync()).With(0).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Memory_is_read_by_physical_address_too_and_the_monitor_answers()
    {
        using MinivmmProcess vmm = await StartAsync();
        string text = await GdbAsync(
            "break high_main", "continue", "maintenance packet Qqemu.PhyMemMode:1", "x/1xw 0x100000", "maintenance packet Qqemu.PhyMemMode:0",
            "monitor help", "monitor registers", "monitor registers 7", "monitor pagewalk 0xffffffff80100000 0", "monitor pagewalk 0xffff900000000000",
            "monitor devices", "monitor exits", "monitor nonsense", "monitor reset", "continue");

        Assert.Matches(@"0x100000.*:\s+0x", text);
        Assert.Contains("64-bit long mode, 4-level paging, CPL 0, interrupts off", text, StringComparison.Ordinal);
        Assert.Contains("PDE   at 0x", text, StringComparison.Ordinal);
        Assert.Contains("-> physical 0x100000", text, StringComparison.Ordinal);
        Assert.Contains("PML4E at 0x101900 = 0000000000000000: empty", text, StringComparison.Ordinal);
        Assert.Matches(@"port +0x3f8-0x3ff ", text);
        Assert.Matches(@"vCPU 0: \d+ exits", text);
        Assert.Contains("there is no vCPU '7'", text, StringComparison.Ordinal);
        Assert.Contains("reset when it goes on", text, StringComparison.Ordinal);
        Assert.Contains("exited normally", text, StringComparison.Ordinal);
        Assert.Contains("there is no command 'nonsense'", text, StringComparison.Ordinal);
        (await vmm.EndAsync()).With(ExitStatus.Success);
    }

    [Fact]
    public async Task Registers_and_memory_can_be_changed()
    {
        using MinivmmProcess vmm = await StartAsync();
        string text = await GdbAsync(
            "break tick", "continue", "set var $rdi = 41", "set var $xmm1.v4_int32 = {1, 2, 3, 4}", "p $xmm1.v4_int32", "p number",
            "set var watched = 77", "p watched", "delete", "finish", "p ticks", "continue");

        Assert.Contains("$1 = {1, 2, 3, 4}", text, StringComparison.Ordinal);
        Assert.Contains("$3 = 77", text, StringComparison.Ordinal);
        Assert.Contains("$4 = 42", text, StringComparison.Ordinal);
        (await vmm.EndAsync()).With(0);
    }

    [Fact]
    public async Task A_guest_that_dies_can_be_looked_at_before_the_machine_ends()
    {
        using MinivmmProcess vmm = await StartAsync();
        string text = await GdbAsync("break high_main", "continue", "set var $rip = 0xffff900000000000", "continue", "continue");

        Assert.Contains("vCPU 0 died: triple fault (KVM_EXIT_SHUTDOWN)", text, StringComparison.Ordinal);
        Assert.Contains("SIGSEGV", text, StringComparison.Ordinal);
        Assert.Contains("Program terminated with signal SIGSEGV", text, StringComparison.Ordinal);
        Assert.Contains("triple fault (KVM_EXIT_SHUTDOWN)", (await vmm.EndAsync()).With(ExitStatus.GuestCrash).Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_kernel_of_32_bits_is_an_i386_to_gdb()
    {
        string kernel = Built.Guest("exit-code.elf");
        using MinivmmProcess vmm = await StartAsync(kernel, "7");
        string text = await GdbAsync(kernel, ["break kernel_main", "continue", "info registers eip cr0", "x/i $pc", "delete", "continue"]);

        Assert.Matches(@"Breakpoint 1, .*kernel_main", text);
        Assert.Matches(@"eip +0x", text);
        Assert.Contains("exited with code 017", text, StringComparison.Ordinal); // octal, gdb's way
        (await vmm.EndAsync()).With(15);
    }

    [Fact]
    public async Task A_port_is_on_the_loopback_and_one_that_is_taken_is_an_error()
    {
        using TcpListener taken = new(IPAddress.Loopback, 0);
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;

        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--gdb", $"{port}", Kernel);
        Assert.Equal(
            $"--gdb 127.0.0.1:{port}: cannot listen there: address already in use (EADDRINUSE)", run.With(ExitStatus.BadInput).OnlyLine());
        taken.Stop();

        using MinivmmProcess vmm = MinivmmProcess.Start("run", "--gdb", $"{port}", "-S", "--smp", "2", Kernel);
        await vmm.Errors.WaitForAsync($"target remote 127.0.0.1:{port}; the guest waits for it");
        string text = await RunGdbAsync(["-ex", $"target remote :{port}", "-ex", "continue", Kernel]);

        Assert.Contains("exited normally", text, StringComparison.Ordinal);
        (await vmm.EndAsync()).With(0);
    }

    [Fact]
    public async Task A_client_that_goes_without_a_word_and_one_that_speaks_nonsense_leave_the_guest_as_it_was()
    {
        using MinivmmProcess vmm = await StartAsync();
        foreach (string said in (string[])["", "GET / HTTP/1.1\r\n\r\n", "$g#67+$", "$m0,ffffffff#00\u0003\u0003-----$#"])
        {
            using System.Net.Sockets.Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await client.ConnectAsync(new UnixDomainSocketEndPoint(Socket));
            await client.SendAsync(System.Text.Encoding.Latin1.GetBytes(said));
        }

        Assert.Contains("exited normally", await GdbAsync("p $rip", "continue"), StringComparison.Ordinal);
        (await vmm.EndAsync()).With(0);
    }

    [Fact]
    public async Task Debug_starts_gdb_on_the_kernel_and_ends_with_it()
    {
        string gdb = _folder.Write("batch", "#!/bin/sh\nexec gdb -nx -batch \"$@\" -ex 'break high_main' -ex continue -ex bt -ex continue\n"u8);
        File.SetUnixFileMode(gdb, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        MinivmmResult run = await MinivmmProcess.RunAsync("debug", "--gdb-program", gdb, "--smp", "2", Kernel);

        Assert.Contains("Breakpoint 1, high_main", run.With(0).Output, StringComparison.Ordinal);
        Assert.Contains("debug: ok\n", run.Output, StringComparison.Ordinal);
        run = await MinivmmProcess.RunAsync("debug", "--gdb-program", "/nonexistent", Kernel);
        Assert.Contains("install gdb (package gdb)", run.With(ExitStatus.HostLimit).OnlyLine(), StringComparison.Ordinal);
        string quitting = _folder.Write("quitting", "#!/bin/sh\nexit 0\n"u8);
        File.SetUnixFileMode(quitting, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        (await MinivmmProcess.RunAsync("debug", "--gdb-program", quitting, Kernel)).With(0);
    }

    [Fact]
    public async Task While_the_guest_waits_for_its_console_gdb_can_look_at_it()
    {
        string path = _folder["console"];
        using MinivmmProcess vmm = MinivmmProcess.Start("run", "--gdb", $"unix:{Socket}", "--console", $"unix:{path},server", "--smp", "2", Kernel);
        await vmm.Errors.WaitForAsync($"target remote {Socket}");

        string text = await GdbAsync("p $cr0", "detach");
        Assert.Contains("$1 = [ PE ET ]", text, StringComparison.Ordinal); // its first instruction is still to come

        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        using StreamReader console = new(new NetworkStream(socket));
        Assert.EndsWith("debug: ok", (await console.ReadToEndAsync()).TrimEnd(), StringComparison.Ordinal);
        (await vmm.EndAsync()).With(0);
    }

    [Fact]
    public async Task Debug_heeds_what_run_does_of_time_figures_and_plans()
    {
        string gdb = _folder.Write("batch", "#!/bin/sh\nexec gdb -nx -batch \"$@\" -ex continue\n"u8);
        File.SetUnixFileMode(gdb, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        MinivmmResult run = await MinivmmProcess.RunAsync(
            "debug", "--gdb-program", gdb, "--timeout", "3", "--stats", "--append", "wait", Kernel);
        Assert.Contains("KVM_EXIT_", run.With(ExitStatus.Timeout).Errors, StringComparison.Ordinal);

        run = await MinivmmProcess.RunAsync("debug", "--gdb-program", "/nonexistent", "--dry-run", Kernel);
        Assert.Contains("guest-physical", run.With(0).Output, StringComparison.Ordinal);
        run = await MinivmmProcess.RunAsync("debug", "--cpu", "help");
        Assert.Contains("Haswell", run.With(0).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task On_a_terminal_the_keys_are_gdbs_and_Ctrl_C_stops_the_guest()
    {
        using PseudoTerminal terminal = new();
        string before = await terminal.SettingsAsync();
        using MinivmmProcess vmm = terminal.StartProgram(
            "env", "HOME=/nonexistent", Built.MiniVmm, "debug", "--smp", "2", "--append", "wait", Kernel);
        await terminal.Screen.WaitForAsync("(gdb) ");
        terminal.Type("continue\n");
        await terminal.Screen.WaitForAsync("debug: waiting");

        terminal.Type("\u0003");

        await terminal.Screen.WaitForAsync("Thread 1 received signal SIGINT");
        terminal.Type("set var go_on = 1\ncontinue\n");
        await terminal.Screen.WaitForAsync("exited normally");
        terminal.Type("quit\n");
        (await vmm.EndAsync(closeInput: false)).With(0);
        Assert.Equal(before, await terminal.SettingsAsync());
    }

    private Task<MinivmmProcess> StartAsync(string append = "") => StartAsync(Kernel, append);

    private async Task<MinivmmProcess> StartAsync(string kernel, string append)
    {
        MinivmmProcess vmm = MinivmmProcess.Start(
            "run", "--gdb", $"unix:{Socket}", "--gdb-wait", "--smp", "2", "--append", append, kernel);
        await vmm.Errors.WaitForAsync($"target remote {Socket}");
        return vmm;
    }

    private Task<string> GdbAsync(params string[] commands) => GdbAsync(Kernel, commands);

    private Task<string> GdbAsync(string kernel, string[] commands) =>
        RunGdbAsync([kernel, "-ex", $"target remote {Socket}", .. commands.SelectMany(command => (string[])["-ex", command])]);

    private static async Task<string> RunGdbAsync(string[] arguments)
    {
        MinivmmResult gdb = await MinivmmProcess.RunProgramAsync(
            "gdb", ["-nx", "-batch", "-ex", "set confirm off", "-ex", "set width 0", .. arguments]);
        return gdb.Output + gdb.Errors;
    }
}
