using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Terminal;

namespace MiniVmm.Guest.Tests;

/// <summary>Machines of the library, paused and resumed, and work done on a vCPU's thread.</summary>
public sealed class PauseTests : IClassFixture<UsableKvm>
{
    private const ulong Counter = 0x2000;

    // again: inc dword ptr [Counter]; out 0x80, al; jmp again
    private static readonly byte[] Counting = [0x66, 0xff, 0x06, 0x00, 0x20, 0xe6, 0x80, 0xeb, 0xf7];

    [Fact]
    public async Task A_paused_vCPU_does_nothing_and_goes_on_where_it_was()
    {
        using KvmSystem kvm = KvmSystem.Open();
        using MachineCore machine = Bare(kvm);
        Task<StopReason> run = machine.RunAsync(TestContext.Current.CancellationToken);
        await Eventually.UntilAsync(() => Count(machine) > 100);

        machine.Vcpus.Pause();
        uint count = Count(machine);
        long exits = machine.Vcpus[0].Statistics.Total;
        Assert.Equal(VcpuState.Paused, machine.Vcpus[0].State);
        await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.Equal((count, exits), (Count(machine), machine.Vcpus[0].Statistics.Total));
        machine.Vcpus.Resume();

        await Eventually.UntilAsync(() => Count(machine) > count + 100);
        machine.Lifecycle.PowerOff();
        Assert.Equal(StopKind.PowerOff, (await run).Kind);
    }

    [Fact]
    public async Task Work_for_a_vCPU_is_done_on_its_thread_between_two_entries_and_after_its_end_here()
    {
        using KvmSystem kvm = KvmSystem.Open();
        using MachineCore machine = Bare(kvm);
        Task<StopReason> run = machine.RunAsync(TestContext.Current.CancellationToken);
        string? thread = null;
        ulong rip = 0;
        await Eventually.UntilAsync(() => machine.Vcpus[0].State == VcpuState.Running);

        machine.Vcpus[0].Invoke(vcpu => (thread, rip) = (Thread.CurrentThread.Name, vcpu.GetRegs().rip));

        Assert.Equal("vcpu0", thread);
        Assert.InRange(rip, 0x1000ul, 0x1009ul);
        Assert.Throws<InvalidTimeZoneException>(() => machine.Vcpus[0].Invoke(_ => throw new InvalidTimeZoneException()));
        machine.Vcpus.Pause();
        machine.Vcpus[0].Invoke(vcpu => vcpu.SetRegs(vcpu.GetRegs() with { rbx = 42 }));
        machine.Vcpus.Resume();
        machine.Lifecycle.PowerOff();
        await run;
        machine.Vcpus[0].Invoke(vcpu => rip = vcpu.GetRegs().rbx);
        Assert.Equal(42ul, rip);
    }

    [Fact]
    public async Task A_vCPU_that_a_device_holds_up_is_not_waited_for_without_end_and_goes_on()
    {
        using KvmSystem kvm = KvmSystem.Open();
        using ManualResetEventSlim open = new();
        using MachineCore machine = Bare(kvm);
        machine.Ports.Add(new WriteOnlyDevice((_, _) => open.Wait()), "gate", 0x80, 1);
        Task<StopReason> run = machine.RunAsync(TestContext.Current.CancellationToken);
        await Eventually.UntilAsync(() => Count(machine) == 1);

        HostLimitException refusal =
            Assert.Throws<HostLimitException>(() => machine.Vcpus.Pause(TimeSpan.FromMilliseconds(50)));

        Assert.Contains("vCPU 0 is held up by a device", refusal.Message, StringComparison.Ordinal);
        open.Set();
        await Eventually.UntilAsync(() => Count(machine) > 100);
        machine.Vcpus.Pause(TimeSpan.FromMinutes(1));
        Assert.Equal(VcpuState.Paused, machine.Vcpus[0].State);
        machine.Lifecycle.PowerOff();
        Assert.Equal(StopKind.PowerOff, (await run).Kind);
    }

    [Fact]
    public async Task A_vCPU_that_a_device_holds_up_has_KVMs_figures_in_a_later_answer()
    {
        using KvmSystem kvm = KvmSystem.Open();
        using ManualResetEventSlim open = new();
        using MachineCore machine = Bare(kvm);
        using KvmCounters counters = new(machine);
        machine.Ports.Add(new WriteOnlyDevice((_, _) => open.Wait()), "gate", 0x80, 1);
        Task<StopReason> run = machine.RunAsync(TestContext.Current.CancellationToken);
        await Eventually.UntilAsync(() => Count(machine) == 1);

        Assert.Null(counters.Of(machine.Vcpus[0]));
        counters.Open(machine.Vcpus);
        Assert.Null(counters.Of(machine.Vcpus[0]));
        open.Set();
        await Eventually.UntilAsync(() => counters.Of(machine.Vcpus[0]) is { } figures && figures.Counts["exits"] > 0);
        Assert.NotNull(counters.OfMachine());

        machine.Lifecycle.PowerOff();
        Assert.Equal(StopKind.PowerOff, (await run).Kind);
        Assert.True(counters.Of(machine.Vcpus[0])!.Counts["exits"] > 0);
        counters.Dispose();
        Assert.Null(counters.Of(machine.Vcpus[0]));
        Assert.Null(counters.OfMachine());
    }

    [Fact]
    public async Task A_vCPU_that_is_taken_out_runs_nothing_more_and_comes_again_as_new()
    {
        using KvmSystem kvm = KvmSystem.Open();
        using MachineCore machine = Bare(kvm, hasControllers: true);
        VcpuThread vcpu = machine.Vcpus[0];
        vcpu.Reset = new VcpuRegisters(kvm, machine.Vm, vcpu).Remember();
        Task<StopReason> run = machine.RunAsync(TestContext.Current.CancellationToken);

        for (int turn = 0; turn < 50; turn++)
        {
            uint before = Count(machine);
            await Eventually.UntilAsync(() => Count(machine) > before + 10);
            vcpu.Park();
            vcpu.Park();
            await Eventually.UntilAsync(() => vcpu.State == VcpuState.Parked);
            uint count = Count(machine);
            ulong rip = 0;
            vcpu.Invoke(parked => rip = parked.GetRegs().rip);
            Assert.Equal((0x1000ul, count), (rip, Count(machine)));
            if (turn % 2 == 0)
            {
                machine.Vcpus.Pause();
                machine.Vcpus.Resume();
                Assert.Equal(VcpuState.Parked, vcpu.State);
            }

            Assert.True(vcpu.Unpark(TimeSpan.FromMinutes(1)));
        }

        machine.Lifecycle.PowerOff();
        Assert.Equal(StopKind.PowerOff, (await run).Kind);
    }

    [Fact]
    public async Task A_vCPU_that_takes_itself_out_ends_its_instruction_and_no_more()
    {
        using KvmSystem kvm = KvmSystem.Open();
        using MachineCore machine = Bare(kvm, hasControllers: true);
        VcpuThread vcpu = machine.Vcpus[0];
        vcpu.Reset = new VcpuRegisters(kvm, machine.Vm, vcpu).Remember();
        machine.Ports.Add(new WriteOnlyDevice((_, _) => vcpu.Park()), "ejector", 0x80, 1);
        Task<StopReason> run = machine.RunAsync(TestContext.Current.CancellationToken);

        for (uint turn = 1; turn <= 20; turn++)
        {
            await Eventually.UntilAsync(() => Count(machine) >= turn && vcpu.State == VcpuState.Parked);
            Assert.Equal(turn, Count(machine));
            Assert.True(vcpu.Unpark(TimeSpan.FromMinutes(1)));
        }

        machine.Lifecycle.PowerOff();
        Assert.Equal(StopKind.PowerOff, (await run).Kind);
    }

    [Fact]
    public async Task A_machine_that_is_paused_before_its_start_waits_and_then_boots()
    {
        using MachinePlan plan = Plan("hello.elf");
        await using VirtualMachine machine = VirtualMachine.Create(plan);
        using StreamReader console = new(machine.OpenConsole());
        await machine.PauseAsync();

        Task<StopReason> run = machine.RunAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        Task<string> text = console.ReadToEndAsync(TestContext.Current.CancellationToken);
        await Eventually.UntilAsync(() => machine.Vcpus[0].State == VcpuState.Paused);
        Assert.True(machine.IsPaused);
        Assert.Equal(0, machine.Vcpus[0].Statistics.Total);
        await machine.ResumeAsync();

        Assert.Equal(StopKind.PowerOff, (await run).Kind);
        Assert.EndsWith("hello: ok\n", (await text).ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_machine_is_paused_and_resumed_a_hundred_times_and_boots_all_the_same()
    {
        using MachinePlan plan = Plan("smp.elf", 2);
        await using VirtualMachine machine = VirtualMachine.Create(plan);
        using StreamReader console = new(machine.OpenConsole());
        Task<StopReason> run = machine.RunAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        Task<string> text = console.ReadToEndAsync(TestContext.Current.CancellationToken);

        for (int i = 0; i < 100; i++)
        {
            await machine.PauseAsync();
            await machine.PauseAsync();
            await machine.ResumeAsync();
        }

        Assert.Equal(StopKind.PowerOff, (await run).Kind);
        Assert.EndsWith("smp: ok\n", (await text).ReplaceLineEndings("\n"), StringComparison.Ordinal);
        await machine.PauseAsync();
        await machine.ResumeAsync();
    }

    [Fact]
    public async Task A_paused_machine_can_be_ended()
    {
        using MachinePlan plan = Plan("crash.elf", append: "hang");
        await using VirtualMachine machine = VirtualMachine.Create(plan);
        await using Stream console = machine.OpenConsole();
        Task<StopReason> run = machine.RunAsync(cancellation: TestContext.Current.CancellationToken);
        await machine.PauseAsync();

        await machine.StopAsync();

        Assert.Equal(StopKind.Interrupted, (await run).Kind);
    }

    private static MachinePlan Plan(string kernel, int processors = 1, string append = "") => MachinePlan.Create(new()
    {
        Kernel = Built.Guest(kernel),
        CommandLine = append,
        Topology = new(processors, 1, 1),
        Memory = new MemoryOptions(32 * MemoryLayout.MiB),
        Console = ConsoleKind.Stream,
    });

    private static MachineCore Bare(KvmSystem kvm, bool hasControllers = false)
    {
        MachineCore machine = new(kvm);
        machine.MapRam(2 * MemoryLayout.MiB);
        if (hasControllers)
            machine.CreateInterruptControllers();
        machine.Memory.Ram.Load(new LoadSegment("code", 0x1000, Counting));
        KvmVcpu vcpu = machine.AddVcpu(0).Vcpu;
        kvm_sregs sregs = vcpu.GetSregs();
        sregs.cs = sregs.cs with { @base = 0, selector = 0 };
        vcpu.SetSregs(sregs);
        vcpu.SetRegs(new kvm_regs { rip = 0x1000, rflags = 2 });
        return machine;
    }

    private static uint Count(MachineCore machine) =>
        machine.Memory.Ram.TryRead(Counter, out uint count) ? count : throw new InvalidOperationException();
}
