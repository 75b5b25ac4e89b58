using System.Text.RegularExpressions;

namespace MiniVmm.Lab.Tests;

/// <summary>One boot of a stock kernel, looked at from many sides.</summary>
public sealed class StandardBoot : IAsyncLifetime
{
    public GuestReport Report { get; private set; } = null!;

    /// <summary>Lines of the kernel's log, each with its level in front.</summary>
    public string[] Log { get; private set; } = [];

    public string TtyLine { get; private set; } = "";

    public string Echo { get; private set; } = "";

    public int Status { get; private set; }

    public string Errors { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        await using VmmProcess vmm = LinuxGuest.Start(
            "standard-boot", "report,tty,echo,dmesg,poweroff", ["--smp", "2,cores=2", "--mem", "256M"]);
        Report = await LinuxGuest.TakeReportAsync(vmm);
        TtyLine = await vmm.WaitForAsync("lab: end tty\n");
        await vmm.WaitForAsync("lab: ready to echo\n");
        await vmm.SendLineAsync("Hello, guest 42");
        Echo = await vmm.WaitForAsync("lab: end echo\n");
        await vmm.WaitForAsync("lab: begin dmesg\n");
        Log = (await vmm.WaitForAsync("lab: end dmesg\n")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Status = await vmm.WaitForExitAsync();
        Errors = vmm.Errors;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed partial class LinuxBootTests(StandardBoot boot) : IClassFixture<StandardBoot>
{
    /// <summary>
    /// What a kernel says of firmware, timers and interrupt controllers that are not as they should be. Not among
    /// them is "Marking TSC unstable due to TSCs unsynchronized": the lab's own kernel says that of the emulated
    /// processors, so KVM cannot give its guests better ones; under QEMU in the lab a guest says it too.
    /// </summary>
    private static readonly string[] Complaints =
    [
        "ACPI Error", "ACPI Exception", "ACPI BIOS Error", "ACPI BIOS Warning", "ACPI Warning", "[Firmware Bug]",
        "[Firmware Warn]", "MP-BIOS bug", "timer doesn't work", "doesn't work through Interrupt-remapped",
        "TSC synchronization", "Marking clocksource", "APIC id mismatch", "APIC ID mismatch",
        "APIC: Stale", "APIC error on", "smpboot: do_boot_cpu failed", "not responding", "WARNING: MP table",
        "nobody cared", "spurious 8259A", "PM-Timer running at", "PM-Timer had", "PM-Timer failed",
        "BIOS bug",
        "mptable: bad", "resource conflict", "soft lockup", "rcu_preempt detected stalls",
    ];

    [Fact]
    public void The_machine_ends_with_status_0_when_Linux_powers_it_off() =>
        Assert.Equal(ExitStatus.Success, boot.Status);

    [Fact]
    public void Nothing_is_written_to_standard_error() => Assert.Equal("", boot.Errors);

    [Fact]
    public void The_processors_and_their_topology_are_those_asked_for() =>
        new SmpShape(Sockets: 1, Cores: 2, Threads: 1).AssertSeenIn(boot.Report);

    [Fact]
    public void All_of_the_memory_is_there()
    {
        const ulong asked = 256UL << 20;
        // A PC keeps the last bytes of the first 640 KiB, the window up to 1 MiB, and perhaps room for tables.
        Assert.InRange(boot.Report.RamSize, asked - (1UL << 20), asked);
        Assert.InRange(boot.Report.Number("memory_kib"), 200 << 10, 256 << 10);
    }

    [Fact]
    public void Time_comes_from_the_paravirtual_clock_and_the_ACPI_timer_is_there_too()
    {
        Assert.Equal("kvm-clock", boot.Report["clocksource"]);
        Assert.Contains("acpi_pm", boot.Report["clocksources"].Split(' '));
    }

    [Fact]
    public void The_serial_port_and_ACPI_interrupt_through_the_IO_APIC_and_each_processor_has_its_own_timer()
    {
        // IRQ 0 is not among them: with a TSC deadline timer Linux leaves the PIT alone. timer.elf tests it.
        string[] interrupts = [.. boot.Report.All("interrupt")];
        Assert.Contains(interrupts, line => SerialInterrupt().IsMatch(line));
        Assert.Contains(interrupts, line => AcpiInterrupt().IsMatch(line));
        Assert.Contains(interrupts, line => LocalTimer().IsMatch(line));
    }

    [Fact]
    public void No_interrupt_was_lost_or_in_error()
    {
        Assert.Contains("ERR: 0", boot.Report.All("interrupt"));
        Assert.Contains("MIS: 0", boot.Report.All("interrupt"));
    }

    [Fact]
    public void The_serial_port_is_taken_for_a_16550A() =>
        Assert.Matches(@"ttyS0 at I/O 0x3f8 \(irq = 4, base_baud = 115200\) is a 16550A", boot.TtyLine);

    [Fact]
    public void What_is_typed_reaches_the_guest() => Assert.Contains("lab: echo 24 TSEUG ,OLLEH\n", boot.Echo);

    [Fact]
    public void The_kernel_has_no_complaint_about_firmware_timers_or_interrupt_controllers()
    {
        Assert.Contains(boot.Log, line => line.Contains("Linux version", StringComparison.Ordinal));
        Assert.DoesNotContain(boot.Log, line =>
            Complaints.Any(complaint => line.Contains(complaint, StringComparison.OrdinalIgnoreCase)));
    }

    [Fact]
    public void The_kernel_warns_of_nothing_but_what_the_labs_emulated_processor_causes()
    {
        string[] warnings = [.. KernelLog.Warnings(boot.Log)];
        Assert.True(warnings.Length == 0, string.Join('\n', warnings));
    }

    [GeneratedRegex(@"^9: .*IO-APIC\s+9-fasteoi\s+acpi$")]
    private static partial Regex AcpiInterrupt();

    [GeneratedRegex(@"^LOC:\s+[1-9]\d*\s+[1-9]\d* Local timer interrupts$")]
    private static partial Regex LocalTimer();

    [GeneratedRegex(@"^4: .*IO-APIC\s+4-edge\s+ttyS0$")]
    private static partial Regex SerialInterrupt();
}
