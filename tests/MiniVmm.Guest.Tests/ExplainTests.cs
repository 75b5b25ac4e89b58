using System.Text.Json;
using System.Text.RegularExpressions;

namespace MiniVmm.Guest.Tests;

/// <summary><c>--explain</c>: the transcript, and the C program that runs the same guest with the same exits.</summary>
public sealed partial class ExplainTests
{
    private static readonly string Hello = Built.Guest("hello.elf");

    [Fact]
    public async Task The_transcript_comes_before_the_guest_and_names_each_call()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--explain", "--smp", "2", Hello);

        string output = run.With(ExitStatus.Success).Output;
        int guest = output.IndexOf("Hello from inside", StringComparison.Ordinal);
        string[] steps =
        [
            "open(\"/dev/kvm\"", "KVM_CREATE_VM", "KVM_GET_SUPPORTED_CPUID, {nent=", "KVM_SET_USER_MEMORY_REGION, {memory_size=0x8000000 (128 MiB)",
            "KVM_CREATE_IRQCHIP", "KVM_CREATE_PIT2, {flags=KVM_PIT_SPEAKER_DUMMY}", "KVM_CREATE_VCPU, 0", "ioctl(vcpu0, KVM_SET_CPUID2",
            "ioctl(vcpu0, KVM_SET_SREGS", "ioctl(vcpu0, KVM_SET_REGS, {rax=0x2badb002", "vcpu0 begins in protected mode", "vcpu1 waits for INIT and SIPI",
        ];
        int at = 0;
        foreach (string step in steps)
        {
            int found = output.IndexOf(step, at, StringComparison.Ordinal);
            Assert.True(found >= at && found < guest, $"{step} is not behind the step before it, and before the guest");
            at = found;
        }

        Assert.All(output[..guest].Split('\n'), line => Assert.InRange(line.Length, 0, 120));
    }

    [Fact]
    public async Task All_its_calls_have_a_name_and_a_reason()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--explain=json", "--virtio", "pci", "--rng", "--smp", "3,maxcpus=4", Hello);

        using JsonDocument document = JsonDocument.Parse(run.With(ExitStatus.Success).Output);
        JsonElement[] calls = [.. document.RootElement.GetProperty("calls").EnumerateArray()];
        Assert.InRange(calls.Length, 40, 400);
        Assert.Empty(calls.Where(call => call.GetProperty("why").ValueKind != JsonValueKind.String)
            .Select(call => $"{call.GetProperty("file")} 0x{call.GetProperty("request").GetUInt32():x}"));
        Assert.DoesNotContain(calls, call => call.GetProperty("file").GetString() == "file");
    }

    [Theory]
    [InlineData("hello.elf")]
    [InlineData("hello.elf", "--smp", "2")]
    [InlineData("hello.bin")]
    [InlineData("hello-pvh.elf")]
    [InlineData("hello64.elf")]
    [InlineData("hello-mb2.elf")]
    [InlineData("hello-mb2.bin")]
    [InlineData("hello64-mb2.elf")]
    [InlineData("exit-code.elf", "--append", "21")]
    [InlineData("screen.elf")]
    [InlineData("smp.elf", "--smp", "2")]
    [InlineData("memory.elf")]
    [InlineData("real-mode.elf")]
    [InlineData("crash.elf")]
    [InlineData("exits.elf", "--append", "pio-out 100")]
    [InlineData("faults.elf", "--append", "null_write")]
    [InlineData("faults32.elf")]
    [InlineData("limine.elf")]
    [InlineData("limine-pie.elf")]
    [InlineData("limine-4.elf")]
    [InlineData("debug.elf")]
    [InlineData("framebuffer.elf")]
    [InlineData("pci.elf")]
    [InlineData("testdev.elf")]
    [InlineData("squarer.elf")]
    [InlineData("bare32.elf")]
    [InlineData("bare64.elf")]
    [InlineData("flat16.bin", "--format", "flat16")]
    [InlineData("flat32.bin", "--format", "flat32")]
    [InlineData("flat64.bin", "--format", "flat64")]
    public async Task The_C_program_runs_the_guest_with_the_same_output_end_and_exits(string kernel, params string[] options)
    {
        MinivmmResult program = await RunProgramAsync([.. options, Built.Guest(kernel)]);
        MinivmmResult run = await MinivmmProcess.RunAsync(["run", "--stats", .. options, Built.Guest(kernel)]);

        Assert.Equal(run.Output, program.With(run.Status).Output);
        Assert.Equal((Exits(run, "KVM_EXIT_IO"), Exits(run, "KVM_EXIT_MMIO")), ExitsOf(program));
    }

    [Fact]
    public async Task The_C_program_of_the_timer_kernel_sees_the_same_exits_at_times_of_its_own()
    {
        MinivmmResult program = await RunProgramAsync([Built.Guest("timer.elf")]);

        Assert.Contains("timer: ok", program.With(ExitStatus.Success).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--rng")]
    [InlineData("--pci")]
    [InlineData("--com2", "none")]
    public async Task A_machine_with_devices_that_the_program_lacks_is_refused(params string[] options)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(["run", "--explain=c", .. options, Hello]);

        Assert.StartsWith("--explain=c: the program has ", run.With(ExitStatus.BadInput).OnlyLine(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_form_is_refused()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--explain=pascal", Hello);

        Assert.StartsWith("--explain pascal: not text, c or json", run.With(ExitStatus.BadInput).OnlyLine(), StringComparison.Ordinal);
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
