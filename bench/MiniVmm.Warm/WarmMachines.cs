using System.Diagnostics;
using System.Globalization;
using MiniVmm.Execution;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Terminal;
using Tmds.Linux;

namespace MiniVmm.Warm;

/// <summary>Machines one after the other in this process: bare ones, or PCs with a kernel.</summary>
/// <param name="kernel">A kernel for a PC; null for a bare machine, whose guest does one write to a port.</param>
internal sealed class WarmMachines(string? kernel) : IDisposable
{
    private const ulong Code = 0x1000;
    private const ulong BareRam = 2 * MemoryLayout.MiB;
    private const ulong PcRam = 32 * MemoryLayout.MiB;

    private static readonly byte[] OneExit = [0xe6, 0x80, 0xf4]; // out 0x80, al; hlt

    private readonly KvmSystem _kvm = KvmSystem.Open();

    /// <summary>Makes a machine, runs it to its first exit, and ends it.</summary>
    /// <returns>Nanoseconds from the first call to the exit.</returns>
    public async Task<double> MeasureAsync()
    {
        long begin = Stopwatch.GetTimestamp();
        if (kernel is not null)
        {
            using MachinePlan plan = Plan();
            await using VirtualMachine pc = VirtualMachine.Create(plan);
            Task run = pc.RunAsync();
            return await FirstExitAsync(pc.Vcpus[0], run, begin);
        }

        using MachineCore bare = Bare();
        return await FirstExitAsync(bare.Vcpus[0], bare.RunAsync(), begin);
    }

    /// <summary>Keeps as many machines, their vCPUs' threads started and waiting, to see what one holds.</summary>
    /// <returns>Private KiB a machine, without its guest's pages.</returns>
    public double Keep(int count)
    {
        long before = PrivateKibibytes();
        List<IDisposable> kept = [];
        for (int i = 0; i < count; i++)
        {
            if (kernel is not null)
            {
                using MachinePlan plan = Plan();
                VirtualMachine pc = VirtualMachine.Create(plan);
                kept.Add(pc);
                pc.Start();
                Drop(pc.Memory);
            }
            else
            {
                MachineCore bare = Bare();
                kept.Add(bare);
                bare.Vcpus.Start();
                bare.Vcpus.WaitUntilOut();
                Drop(bare.Memory.Ram);
            }
        }

        double each = (double)(PrivateKibibytes() - before) / count;
        kept.ForEach(part => part.Dispose());
        return each;
    }

    public void Dispose() => _kvm.Dispose();

    private MachinePlan Plan() => MachinePlan.Create(new MachineOptions
    {
        Kernel = kernel!,
        Memory = new MemoryOptions(PcRam),
        Console = ConsoleKind.None,
    });

    private MachineCore Bare()
    {
        MachineCore machine = new(_kvm);
        machine.MapRam(BareRam);
        machine.Memory.Ram.Load(new("code", Code, OneExit));
        KvmVcpu vcpu = machine.AddVcpu(0).Vcpu;
        vcpu.SetSregs(EntryRegisters.RealMode(vcpu.GetSregs()));
        vcpu.SetRegs(new kvm_regs { rip = Code, rflags = 2 });
        return machine;
    }

    private static async Task<double> FirstExitAsync(VcpuThread vcpu, Task run, long begin)
    {
        await run;
        return Stopwatch.GetElapsedTime(begin, vcpu.Statistics.FirstExit).TotalNanoseconds;
    }

    private static unsafe void Drop(GuestMemory ram)
    {
        foreach (RamSlot slot in ram.Slots)
            _ = LibC.madvise((void*)slot.Host, (size_t)(nuint)slot.Range.Length, LibC.MADV_DONTNEED);
    }

    private static long PrivateKibibytes() => File.ReadLines("/proc/self/smaps_rollup")
        .Where(line => line.StartsWith("Private_Clean:", StringComparison.Ordinal)
            || line.StartsWith("Private_Dirty:", StringComparison.Ordinal))
        .Sum(line => long.Parse(
            line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture));
}
