using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Terminal;
using MiniVmm.Tests.Devices.State;

namespace MiniVmm.Guest.Tests;

/// <summary>
/// What KVM itself knows of a machine, saved and restored: each part alone as every device's state is
/// (<c>SuspendableTests</c>), and all of it in the middle of a guest's work.
/// </summary>
public sealed class KvmStateTests : IClassFixture<UsableKvm>
{
    public static TheoryData<string> Parts => ["interrupt-controllers", "guest-time", "vcpu", "processors", "video-memory"];

    [Fact]
    public void Every_part_that_KVM_knows_is_tested_here()
    {
        using Subject subject = new();
        Assert.Equal(
            typeof(VirtualMachine).Assembly.GetTypes()
                .Where(type => type.Namespace == typeof(VirtualMachine).Namespace && type.IsAssignableTo(typeof(ISuspendable)))
                .Select(type => type.Name).Order(),
            Parts.Select(row => subject[row.Data].GetType().Name).Order());
    }

    [Theory]
    [MemberData(nameof(Parts))]
    public void What_KVM_knows_goes_into_another_machine(string part)
    {
        using Subject first = new();
        first.Prepare();
        using Subject second = new();

        // A tick of the PIT may still be on its way when time stands: what is saved is what was there before and after.
        string text;
        byte[] state;
        do
        {
            text = StateText.Of(first[part]);
            state = StateWriter.Save(first[part]);
        }
        while (StateText.Of(first[part]) != text);

        StateReader.Restore(second[part], state);

        Assert.Equal(text, StateText.Of(second[part]));
    }

    [Theory]
    [MemberData(nameof(Parts))]
    public void The_state_of_a_new_machine_replaces_the_one_that_KVM_was_in(string part)
    {
        using Subject fresh = new();
        using Subject used = new();
        used.Prepare();
        Assert.NotEqual(StateText.Of(fresh[part]), StateText.Of(used[part]));

        StateReader.Restore(used[part], StateWriter.Save(fresh[part]));

        Assert.Equal(StateText.Of(fresh[part]), StateText.Of(used[part]));
    }

    [Theory]
    [MemberData(nameof(Parts))]
    public void A_damaged_state_is_refused_in_words(string part)
    {
        using Subject subject = new();
        byte[] state = StateWriter.Save(subject[part]);
        for (int at = 0; at < state.Length; at += Stride(state))
        {
            byte[] flipped = [.. state];
            flipped[at] ^= 0x10;
            Assert.Contains("damaged", Refusal(subject[part], state[..at]), StringComparison.Ordinal);
            Assert.Contains("damaged", Refusal(subject[part], flipped), StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Parts))]
    public void A_state_with_other_values_in_it_is_taken_or_refused_in_words(string part)
    {
        using Subject subject = new();
        byte[] state = StateWriter.Save(subject[part]);
        int refused = 0;
        for (int at = 7; at < state.Length; at += Stride(state))
        {
            byte[] altered = StateDamage.Altered(state, bytes => bytes[at] ^= 0xff);
            if (Record.Exception(() => StateReader.Restore(subject[part], altered)) is { } refusal)
            {
                Assert.IsType<StateException>(refusal);
                refused++;
            }
        }

        Assert.True(refused > 0, "none was refused");
    }

    [Theory]
    [MemberData(nameof(Parts))]
    public void A_newer_state_and_a_foreign_one_are_refused(string part)
    {
        using Subject subject = new();
        byte[] state = StateWriter.Save(subject[part]);
        byte[] newer = StateDamage.Altered(state, bytes => bytes[4]++);
        Assert.Contains("use a newer MiniVmm", Refusal(subject[part], newer), StringComparison.Ordinal);
        foreach (string other in Parts.Select(row => row.Data).Where(other => other != part))
        {
            byte[] foreign = StateWriter.Save(subject[other]);
            Assert.Contains($"\"{other}\" where \"{part}\" is due", Refusal(subject[part], foreign), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_vCPU_refuses_the_state_of_another()
    {
        using Subject subject = new();
        byte[] second = StateWriter.Save(subject.Vcpu(1));
        Assert.Contains("impossible: APIC id 1 for vCPU 0, which has 0", Refusal(subject["vcpu"], second), StringComparison.Ordinal);
    }

    [Fact]
    public void A_guest_that_could_run_guests_is_not_saved_by_halves()
    {
        using Subject subject = new();
        if (!subject.CanVirtualizeItself)
        {
            // Under a KVM that nests no guests there is no such state.
            Assert.Throws<KvmException>(subject.VirtualizeItself);
            return;
        }

        subject.VirtualizeItself();
        HostLimitException refusal = Assert.Throws<HostLimitException>(() => StateWriter.Save(subject["vcpu"]));
        Assert.Contains("give the guest a CPU without vmx or svm", refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>From machine to machine every few moments: the text must be as if nothing had been.</summary>
    [Theory]
    [InlineData("smp.elf", 2, "smp: ok\n")]
    [InlineData("timer.elf", 1, "timer: ok\n")]
    [InlineData("hello.elf", 1, "hello: ok\n")]
    [InlineData("pci.elf", 1, "pci: ok\n")]
    public async Task A_guest_moves_from_machine_to_machine_in_the_middle_of_its_work(string kernel, int processors, string end)
    {
        (string expected, _) = await RunAsync(kernel, processors, moving: false);
        Assert.EndsWith(end, expected, StringComparison.Ordinal);

        (string text, int moves) = await RunAsync(kernel, processors, moving: true);

        Assert.Equal(Steady(expected), Steady(text));
        TestContext.Current.SendDiagnosticMessage($"{kernel} was moved {moves} times");
        Assert.True(moves > 0, "the guest was not moved");
    }

    /// <summary>Those of a minute in which the guest runs, many times what it needs on an emulated processor.</summary>
    private const int MostMoves = 75;

    /// <summary>Without what is measured or counted.</summary>
    private static string Steady(string text) => Regex.Replace(text, "[0-9]+", "N");

    private static async Task<(string Text, int Moves)> RunAsync(string kernel, int processors, bool moving)
    {
        MachineOptions options = new()
        {
            Kernel = Built.Guest(kernel),
            Topology = new(processors, 1, 1),
            Memory = new MemoryOptions(32 * MemoryLayout.MiB),
            Console = ConsoleKind.Stream,
            Rng = kernel == "pci.elf",
            CommandLine = moving && kernel == "pci.elf" ? "moved" : "",
            Virtio = VirtioBus.Pci,
        };
        StringBuilder text = new();
        byte[]? state = null;
        byte[] ram = [];
        TimeSpan stay = TimeSpan.FromMicroseconds(100);
        for (int moves = 0; ; moves++)
        {
            using MachinePlan plan = MachinePlan.Create(options);
            await using VirtualMachine machine = VirtualMachine.Create(plan);
            using StreamReader console = new(machine.OpenConsole());
            Task<string> printed = console.ReadToEndAsync(TestContext.Current.CancellationToken);
            machine.Pause();
            if (state is not null)
            {
                ram.CopyTo(Ram(machine));
                machine.RestoreState(state);
            }

            Task<StopReason> run = machine.RunAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
            machine.Resume();
            if (moving)
                Spin(stay);
            else
                await run;
            // A guest that waits for a timer comes to its end, too, and one that hangs is not waited for without end.
            stay = TimeSpan.FromTicks(Math.Min(stay.Ticks * 2, TimeSpan.TicksPerSecond));
            Assert.True(moves < MostMoves, $"the guest is still at work; it printed:\n{text}");
            machine.Pause();
            state = Unless(run, machine.SaveState);
            ram = Ram(machine).ToArray();
            await machine.StopAsync();
            text.Append((await printed).ReplaceLineEndings("\n"));
            if (state is not null)
                continue;
            StopKind kind = (await run).Kind;
            Assert.True(kind == StopKind.PowerOff, $"{kind} after {moves} moves; the guest printed:\n{text}");
            return (text.ToString(), moves);
        }
    }

    private static void Spin(TimeSpan time)
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < time)
            Thread.SpinWait(10);
    }

    /// <returns>Null for a machine that has come to its end by itself.</returns>
    private static byte[]? Unless(Task<StopReason> run, Func<byte[]> save)
    {
        try
        {
            return run.IsCompleted ? null : save();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static Span<byte> Ram(VirtualMachine machine)
    {
        RamSlot slot = Assert.Single(machine.Memory.Slots);
        Assert.True(machine.Memory.TryGetSpan(slot.Range.Start, (int)slot.Range.Length, out Span<byte> span));
        return span;
    }

    /// <summary>A vCPU's state has 10 KiB, and emulated processors are slow.</summary>
    private static int Stride(byte[] state) => (state.Length / 100) + 1;

    private static string Refusal(ISuspendable part, byte[] state) =>
        Assert.Throws<StateException>(() => StateReader.Restore(part, state)).Message;

    /// <summary>A machine with two vCPUs that do not run, room for two more, and its parts that have a state.</summary>
    private sealed class Subject : IDisposable
    {
        private readonly KvmSystem _kvm = KvmSystem.Open();
        private readonly MachineCore _core;
        private readonly GuestTime _time;
        private readonly Processors _processors;
        private readonly VideoMemory _video;

        public Subject()
        {
            _core = new MachineCore(_kvm);
            _core.MapRam(2 * MemoryLayout.MiB);
            _core.CreateInterruptControllers();
            _core.Vm.CreatePit2();
            _time = new GuestTime(_core.Vm);
            _video = new VideoMemory(_core.Memory);
            MachineOptions options = new() { Kernel = "none", Topology = new(4, count: 2) };
            _processors = new(
                _kvm,
                _core,
                options,
                (vcpu, _) => vcpu.SetCpuid2(_kvm.GetSupportedCpuid()),
                new CpuHotPlug(4, _core.Vcpus, new IrqLine(_core.Vm, 23, new())));
        }

        public ISuspendable this[string part] => part switch
        {
            "interrupt-controllers" => new InterruptControllers(_core.Vm),
            "guest-time" => _time,
            "processors" => _processors,
            "video-memory" => _video,
            _ => Vcpu(0),
        };

        public VcpuRegisters Vcpu(int index) => new VcpuRegisters(_kvm, _core.Vm, _core.Vcpus[index]);

        /// <summary>Has something else everywhere than after the start.</summary>
        public unsafe void Prepare()
        {
            _processors.Set(3);
            _video.Bytes[100] = 0x5a;
            BiosInterrupts.SetUp(_core.Vm);
            kvm_irqchip ioApic = _core.Vm.GetIrqChip(KvmConstants.KVM_IRQCHIP_IOAPIC);
            ioApic.chip.ioapic.ioregsel = 0x12;
            ioApic.chip.ioapic.redirtbl[5] = 0x0100_0000_0001_0031; // to APIC 1, vector 0x31, masked
            _core.Vm.SetIrqChip(ioApic);
            _core.Vm.SetClock(new kvm_clock_data { clock = 12_345_678_901_234 });
            _time.Stop();

            KvmVcpu vcpu = _core.Vcpus[0].Vcpu;
            kvm_sregs special = vcpu.GetSregs();
            special.cr2 = 0xdead_f000;
            special.gdt.@base = 0x1000;
            special.gdt.limit = 0x7f;
            special.cs.@base = 0x4_0000;
            special.cs.selector = 0x4000;
            vcpu.SetSregs(special);
            vcpu.SetRegs(new kvm_regs { rax = 1, rbx = 2, rsi = 3, r8 = 4, r15 = 5, rsp = 0x8000, rip = 0x123, rflags = 0x246 });
            kvm_fpu fpu = vcpu.GetFpu();
            fpu.xmm[0] = 0x77;
            fpu.xmm[255] = 0x99;
            fpu.mxcsr = 0x1fa0;
            vcpu.SetFpu(fpu);
            kvm_debugregs debug = vcpu.GetDebugRegs();
            debug.db[0] = 0x1234_5000;
            debug.db[3] = 0x4321_0000;
            vcpu.SetDebugRegs(debug);
            vcpu.SetMsrs(
            [
                new kvm_msr_entry { index = 0x2ff, data = 0xc06 }, // MTRR default type
                new kvm_msr_entry { index = 0x174, data = 8 }, // SYSENTER's segment
                new kvm_msr_entry { index = 0xc000_0081, data = 0x0023_0010_0000_0000 }, // STAR
                new kvm_msr_entry { index = 0xc000_0102, data = 0x7fff_1234_5000 }, // KERNEL_GS_BASE
                new kvm_msr_entry { index = 0x277, data = 0x0007_0406_0007_0406 }, // PAT, another order
            ]);
            kvm_lapic_state apic = vcpu.GetLapic();
            apic.regs[0xf0] = 0xff;
            apic.regs[0xf1] = 0x01; // spurious vector 0xff, on
            apic.regs[0x80] = 0x20; // task priority
            vcpu.SetLapic(apic);
            kvm_vcpu_events events = vcpu.GetVcpuEvents();
            events.nmi.masked = 1;
            vcpu.SetVcpuEvents(events);
            vcpu.SetMpState(KvmConstants.KVM_MP_STATE_HALTED);
        }

        /// <summary>Whether its processor has svm or vmx.</summary>
        public bool CanVirtualizeItself => _core.Vcpus[0].Vcpu.GetCpuid2().Any(leaf =>
            (leaf.function == 0x8000_0001 && (leaf.ecx & 4) != 0) || (leaf.function == 1 && (leaf.ecx & (1 << 5)) != 0));

        public void VirtualizeItself()
        {
            KvmVcpu vcpu = _core.Vcpus[0].Vcpu;
            kvm_sregs special = vcpu.GetSregs();
            bool amd = vcpu.GetCpuid2().Any(leaf => leaf.function == 0x8000_0001 && (leaf.ecx & 4) != 0);
            if (amd)
                special.efer |= 1 << 12;
            else
                special.cr4 |= 1 << 13;
            vcpu.SetSregs(special);
        }

        public void Dispose()
        {
            _core.Dispose();
            _video.Dispose();
            _kvm.Dispose();
        }
    }
}
