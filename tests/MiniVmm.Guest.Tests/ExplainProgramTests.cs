using System.Text.RegularExpressions;

namespace MiniVmm.Guest.Tests;

/// <summary><c>--explain=c</c>: a C program that runs the same guest with the same exits, for every kernel that there is.</summary>
public sealed partial class ExplainProgramTests : IClassFixture<UsableKvm>
{
    private const string NoChipset = "no chipset, which firmware needs";

    private static readonly string[] Flat16 = ["--format", "flat16"];
    private static readonly string[] Pci = ["--pci"];
    private static readonly string[] NoAssist = ["--no-assist"]; // what KVM cannot emulate is the end under both

    /// <summary>Kernels, each with options with which its output and its exits are the same at each run.</summary>
    public static TheoryData<string, string[]> Kernels => new()
    {
        { "hello.elf", [] },
        { "hello.elf", ["--smp", "2"] },
        { "hello.bin", [] },
        { "hello-pvh.elf", [] },
        { "hello64.elf", [] },
        { "hello-mb2.elf", [] },
        { "hello-mb2.bin", [] },
        { "hello64-mb2.elf", [] },
        { "exit-code.elf", ["--append", "21"] },
        { "screen.elf", [] },
        { "keyboard.elf", ["--append", "log", "--timeout", "3"] }, // nobody types
        { "smp.elf", ["--smp", "2"] },
        { "assist.elf", NoAssist },
        { "int3.elf", NoAssist },
        { "memory.elf", [] },
        { "real-mode.elf", [] },
        { "crash.elf", [] },
        { "exits.elf", ["--append", "pio-out 100"] },
        { "faults.elf", ["--append", "null_write"] },
        { "faults32.elf", [] },
        { "limine.elf", [] },
        { "limine-pie.elf", [] },
        { "limine-4.elf", [] },
        { "debug.elf", [] },
        { "framebuffer.elf", [] },
        { "framebuffer-mb2.elf", [] },
        { "pci.elf", [] },
        { "pci.elf", Pci },
        { "pci.elf", ["--pci", "--smp", "2"] },
        { "testdev.elf", [] },
        { "squarer.elf", [] },
        { "bare32.elf", [] },
        { "bare64.elf", [] },
        { "flat16.bin", Flat16 },
        { "flat32.bin", ["--format", "flat32"] },
        { "flat64.bin", ["--format", "flat64"] },
        { "course/01-hlt.bin", [.. Flat16, "--timeout", "0.5"] },
        { "course/02-serial.bin", Flat16 },
        { "course/03-real-mode.bin", Flat16 },
        { "course/04-protected-mode.bin", Flat16 },
        { "course/05-paging.elf", [] },
        { "course/06-long-mode.elf", [] },
        { "course/07-interrupts.bin", Flat16 },
        { "course/08-exceptions.elf", [] },
        { "course/09-smp.bin", [.. Flat16, "--smp", "2"] },
        { "course/10-cpuid.elf", ["--smp", "8,sockets=2,cores=2,threads=2"] },
        { "course/11-mmio.elf", [] },
        { "course/12-pci.elf", Pci },
        { "course/13-virtio.elf", ["--timeout", "3"] }, // it waits for a device that is not there
        { "course/16-qemu.elf", [] },
        { "hello-com2.elf", ["--com2", "none"] },
        { "suite/crash.elf", [] },
        { "suite/early.elf", [] },
        { "suite/empty.elf", [] },
        { "suite/fail-exit.elf", [] },
        { "suite/fail-text.elf", [] },
        { "suite/hang.elf", ["--timeout", "3"] },
        { "suite/not-run.elf", [] },
        { "suite/panic.elf", [] },
        { "suite/pass.elf", [] },
        { "suite/rust.elf", [] },
        { "suite/skip.elf", [] },
        { "suite/tap.elf", [] },
        { "suite/tap-fail.elf", [] },
        { "suite/tap-short.elf", [] },
    };

    /// <summary>Kernels that measure time, and what they end with.</summary>
    public static TheoryData<string, string> Clocks => new()
    {
        { "timer.elf", "timer: ok\n" },
        { "course/15-exit-cost.elf", " clocks  nothing, between two RDTSC\n" },
    };

    /// <summary>Kernels that do nothing without devices that the program does not have, those devices, and how it says so.</summary>
    public static TheoryData<string, string[], string> Exceptions => new()
    {
        { "boot-cd.iso", [], NoChipset },
        { "boot-disk.img", [], NoChipset },
        { "boot-serial.img", [], NoChipset },
        { "boot-serial.iso", [], NoChipset },
        { "course/12-msix.elf", ["--virtio", "pci", "--rng"], "no virtio device (rng)" },
        { "course/14-memory.elf", ["--balloon", "--timeout", "1"], "no virtio device (balloon)" },
    };

    [Theory]
    [MemberData(nameof(Kernels))]
    public async Task The_C_program_runs_the_guest_with_the_same_output_end_and_exits(string kernel, string[] options)
    {
        Task<MinivmmResult> running = RunProgramAsync([.. options, Built.Guest(kernel)]);
        MinivmmResult run = await MinivmmProcess.RunAsync(["run", "--stats", .. options, Built.Guest(kernel)]);
        MinivmmResult program = await running;

        Assert.Equal(run.Output, program.With(run.Status).Output);
        Assert.Equal((Exits(run, "KVM_EXIT_IO"), Exits(run, "KVM_EXIT_MMIO")), ExitsOf(program));
    }

    [Theory]
    [MemberData(nameof(Clocks))]
    public async Task The_C_program_of_a_kernel_that_measures_time_comes_to_the_same_end(string kernel, string end)
    {
        MinivmmResult program = await RunProgramAsync([Built.Guest(kernel)]);

        Assert.EndsWith(end, program.With(ExitStatus.Success).Output, StringComparison.Ordinal);
        Assert.InRange(ExitsOf(program).Io, 100, 10_000);
    }

    [Theory]
    [MemberData(nameof(Exceptions))]
    public async Task A_kernel_whose_devices_the_program_lacks_is_refused_with_their_name(string kernel, string[] options, string words)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(["run", "--explain=c", .. options, Built.Guest(kernel)]);

        Assert.Matches($"(?m)^minivmm: --explain=c: the program has (a PC's devices and a bare PCI bus, and )?{Regex.Escape(words)}", run.With(ExitStatus.BadInput).Errors);
    }

    [Fact]
    public async Task No_kernel_of_make_guests_is_left_out()
    {
        MinivmmResult list = await MinivmmProcess.RunProgramAsync("make", "-s", "-C", Path.Combine(Built.Root, "guest-images"), "list");

        IEnumerable<string> made = list.With(0).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(name => !name.EndsWith(".test", StringComparison.Ordinal));
        IEnumerable<string> tried = Kernels.Select(row => row.Data.Item1)
            .Concat(Clocks.Select(row => row.Data.Item1)).Concat(Exceptions.Select(row => row.Data.Item1)).Distinct();
        Assert.Equal(made.Order(StringComparer.Ordinal), tried.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("no virtio device (rng)", "--rng")]
    [InlineData("no virtio device (net0), no virtio device (balloon)", "--virtio", "pci", "--balloon", "--net", "user")]
    [InlineData("no pci-testdev", "--device", "pci-testdev")]
    [InlineData("no fw_cfg", "--fw-cfg", "name=opt/mine,string=text")]
    [InlineData("no COM2 that anybody reads (--com2 none)", "--com2", "pty")]
    [InlineData("no clock of another time (--rtc)", "--rtc", "1999-12-31")]
    [InlineData("no processor that comes later", "--smp", "1,maxcpus=2")]
    public async Task A_machine_with_devices_that_the_program_lacks_is_refused(string words, params string[] options)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(["run", "--explain=c", .. options, Built.Guest("hello.elf")]);

        Assert.Equal(
            $"--explain=c: the program has a PC's devices and a bare PCI bus, and {words}; leave that out", run.With(ExitStatus.BadInput).OnlyLine());
    }

    private static async Task<MinivmmResult> RunProgramAsync(string[] words)
    {
        using TemporaryFolder folder = new();
        MinivmmResult source = await MinivmmProcess.RunAsync(["run", "--explain=c", .. words]);
        await File.WriteAllTextAsync(folder["machine.c"], source.With(ExitStatus.Success).Output);
        MinivmmResult compiler = await MinivmmProcess.RunProgramAsync(
            "gcc", "-O0", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", folder["machine"], folder["machine.c"]);
        compiler.With(ExitStatus.Success);
        return await MinivmmProcess.RunProgramAsync("timeout", "60", folder["machine"]);
    }

    /// <summary>A row of <c>--stats</c>, summed over the vCPUs.</summary>
    private static long Exits(MinivmmResult run, string reason) => Regex.Match(run.Errors, $@"^{reason} +(?<counts>[0-9, ]+)$", RegexOptions.Multiline) is { Success: true } row
        ? row.Groups["counts"].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries).Sum(count => long.Parse(count.Replace(",", "", StringComparison.Ordinal)))
        : 0;

    private static (long Io, long Mmio) ExitsOf(MinivmmResult program)
    {
        Match line = EndLine().Match(program.Errors);
        Assert.True(line.Success, $"{program}");
        return (long.Parse(line.Groups["io"].Value), long.Parse(line.Groups["mmio"].Value));
    }

    [GeneratedRegex("^end: .*; KVM_EXIT_IO (?<io>[0-9]+), KVM_EXIT_MMIO (?<mmio>[0-9]+)$", RegexOptions.Multiline)]
    private static partial Regex EndLine();
}
