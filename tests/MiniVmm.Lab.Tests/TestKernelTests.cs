namespace MiniVmm.Lab.Tests;

/// <summary>The project's own kernels, on a KVM that runs supervisor code as hardware does.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class TestKernelTests
{
    [Theory]
    [InlineData("hello", "Hello from inside the virtual machine")]
    [InlineData("smp", "smp: ok", "--smp", "4,sockets=2,cores=2")]
    [InlineData("timer", "timer: ok")]
    [InlineData("memory", "memory: ok", "--mem", "256M")]
    [InlineData("memory", "memory: ok", "--mem", "5G")]
    [InlineData("real-mode", "real-mode: ok")]
    [InlineData("int3", "int3: ok")]
    [InlineData("assist", "assist: ok")] // what it expects is what processors do
    public async Task It_finds_the_machine_in_order(string kernel, string said, params string[] options)
    {
        await using VmmProcess vmm = VmmProcess.Run($"{kernel}{string.Concat(options)}", [Elf(kernel), .. options]);
        vmm.CloseInput();

        await vmm.AssertExitAsync(ExitStatus.Success);

        Assert.Contains(said, vmm.Output);
        Assert.DoesNotContain("FAILED", vmm.Output);
        // The lab has fewer processors than some guests, of which it warns.
        Assert.DoesNotContain(vmm.ErrorLines, line => !line.StartsWith("minivmm: warning: ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_crash_is_explained_as_the_triple_fault_it_is()
    {
        await using VmmProcess vmm = VmmProcess.Run("crash", Elf("crash"));
        vmm.CloseInput();

        await vmm.AssertExitAsync(ExitStatus.GuestCrash);

        Assert.Contains("triple fault", vmm.Errors, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task One_processor_leaves_guests_while_the_other_loads_FPU_states()
    {
        // Without tests/lab/qemu-repair.c the lab's machine resets or stands still here.
        string output = await LabHost.ShellAsync($"""
            taskset -c 1 '{Lab.Guest("fxrstor-loop")}' & loop=$!
            trap 'kill $loop' EXIT
            taskset -c 0 '{Lab.MiniVmm}' run '{Elf("exits")}' --append "pio-out 200000" </dev/null || (($? == 1))
            """);

        Assert.Contains("exits: ok", output);
    }

    private static string Elf(string kernel) => Lab.Guest($"{kernel}.elf");
}
