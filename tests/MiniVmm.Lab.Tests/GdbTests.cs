using System.Globalization;
using System.Text.RegularExpressions;

namespace MiniVmm.Lab.Tests;

/// <summary>The real gdb on Debian's kernel, which has no symbols: its own list of addresses says where functions are.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class GdbTests
{
    /// <summary>Functions in the order in which a boot comes by; six, so that two are beyond the debug registers.</summary>
    private static readonly string[] Functions = ["start_kernel", "setup_arch", "trap_init", "rest_init", "kernel_init", "kernel_execve"];

    /// <summary>Behind the call that each begins with: ftrace looks whether that is as it was.</summary>
    private const ulong BehindCall = 5;

    [Fact]
    public async Task A_kernel_that_unpacks_itself_hits_breakpoints_set_before_and_its_own_int3_stays_its_own()
    {
        Dictionary<string, ulong> symbols = await FindAsync();
        string socket = Path.Combine(Directory.CreateTempSubdirectory("minivmm-gdb-").FullName, "gdb");
        await using VmmProcess vmm = LinuxGuest.Start(
            "gdb", "report,poweroff", ["--decompress", "guest", "--smp", "2", "--mem", "256M", "--gdb", $"unix:{socket}", "--gdb-wait"],
            append: "nokaslr");
        await WaitForFileAsync(socket);

        // What the kernel does to try INT3 out at its start ends in a panic if a debugger keeps it (int3_selftest).
        string text = await GdbAsync(
            socket,
            [
                .. Functions.Select(name => $"break *0x{symbols[name] + BehindCall:x}"),
                .. Functions.SelectMany(_ => (string[])["continue", "printf \"at %lx\\n\", $pc"]),
                "monitor breakpoints", "delete", "p $cr0", "stepi", "stepi", "info threads",
                $"watch *(unsigned long *) 0x{symbols["jiffies"]:x}", "continue", "delete",
                "shell (sleep 1; kill -INT $PPID) &", "continue", "info threads", "monitor registers", "detach",
            ]);

        foreach (string name in Functions)
            Assert.Contains($"at {symbols[name] + BehindCall:x}\n", text, StringComparison.Ordinal);
        Assert.Contains("an INT3 in memory", text, StringComparison.Ordinal);
        Assert.Contains("= [ PE MP ET NE WP AM PG ]", text, StringComparison.Ordinal);
        Assert.Matches(@"Thread 2 \(CPU#1 \[", text);
        Assert.Matches(@"hit Hardware watchpoint \d+: .*\n\nOld value = \d+\nNew value = \d+\n", text);
        Assert.Contains("SIGINT", text, StringComparison.Ordinal);
        Assert.Contains("64-bit long mode, ", text, StringComparison.Ordinal);
        GuestReport report = await LinuxGuest.TakeReportAsync(vmm);
        Assert.Equal(2, report.Number("nproc"));
        await vmm.AssertExitAsync(ExitStatus.Success);
    }

    [Fact]
    public async Task Each_int3_of_the_guests_own_reaches_it_while_a_timer_interrupts_it()
    {
        // A round through gdb's thread lasts longer than the timer's period: an interrupt is always waiting when the guest gets it.
        string socket = Path.Combine(Directory.CreateTempSubdirectory("minivmm-gdb-").FullName, "gdb");
        await using VmmProcess vmm = VmmProcess.Run("int3", Lab.Guest("int3.elf"), "--gdb", $"unix:{socket}", "--gdb-wait");
        vmm.CloseInput();
        await WaitForFileAsync(socket);

        // One more than there are debug registers, where nothing is: KVM hands over each INT3 then.
        string text = await GdbAsync(socket, [.. Enumerable.Range(0x90000, 5).Select(at => $"break *{at}"), "continue"]);

        Assert.Contains("exited normally", text, StringComparison.Ordinal);
        await vmm.AssertExitAsync(ExitStatus.Success);
        Assert.EndsWith("int3: ok\n", vmm.Output, StringComparison.Ordinal);
    }

    /// <summary>Linear addresses, where nothing is moved about.</summary>
    private static async Task<Dictionary<string, ulong>> FindAsync()
    {
        await using GuestShell guest = await GuestShell.StartAsync("gdb-symbols", "nokaslr", "--mem", "256M");
        string list = await guest.RunAsync($"grep -E ' ({string.Join('|', Functions)}|jiffies)$' /proc/kallsyms");
        return Regex.Matches(list, @"^([0-9a-f]{16}) \w (\w+)\r?$", RegexOptions.Multiline).ToDictionary(
            match => match.Groups[2].Value,
            match => ulong.Parse(match.Groups[1].Value, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
    }

    private static async Task WaitForFileAsync(string path)
    {
        while (!File.Exists(path))
            await Task.Delay(50);
    }

    private static async Task<string> GdbAsync(string socket, IEnumerable<string> commands)
    {
        await using VmmProcess gdb = VmmProcess.Start(
            "gdb-client", "gdb",
            ["-nx", "-batch", "-ex", "set width 0", "-ex", $"target remote {socket}", .. commands.SelectMany(each => (string[])["-ex", each])]);
        await gdb.AssertExitAsync(0);
        return gdb.Output + gdb.Errors; // monitor's answers are there
    }
}
