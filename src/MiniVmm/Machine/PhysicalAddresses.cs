using MiniVmm.Cpu;
using MiniVmm.Memory;

namespace MiniVmm.Machine;

/// <summary>How far a processor's physical addresses reach: MAXPHYADDR (SDM vol. 3, 4.1.4).</summary>
internal static class PhysicalAddresses
{
    /// <summary>Refuses RAM at addresses that the guest's processors, or the host's, do not have.</summary>
    /// <param name="memory">The guest's.</param>
    /// <param name="cpu">The model's name.</param>
    /// <param name="guest">What the guest's CPUID says.</param>
    /// <param name="host">What KVM's does.</param>
    /// <exception cref="BadInputException">Too much RAM for the model; the message has the arithmetic.</exception>
    /// <exception cref="HostLimitException">Too much for the host.</exception>
    public static void Check(GuestMemoryMap memory, string cpu, IEnumerable<CpuidLeaf> guest, IEnumerable<CpuidLeaf> host)
    {
        int ours = CpuidAddresses.Physical(guest);
        int theirs = CpuidAddresses.Physical(host);
        int bits = Math.Min(ours, theirs);
        ulong limit = 1UL << bits;
        if (memory.End <= limit)
            return;
        const ulong Hole = MemoryLayout.HighRam - MemoryLayout.HoleStart;
        ulong most = limit > MemoryLayout.HighRam ? limit - Hole : Math.Min(limit, MemoryLayout.HoleStart);
        OptionMessage whose = "this host";
        if (ours < theirs)
            whose = $"{OptionName.Cpu.With(cpu)}";
        if (memory.Pluggable is { } region && memory.Ram[^1].End <= limit)
        {
            OptionMessage reach = $"{OptionName.Mem}: with max={ByteSize.Format(memory.Size + region.MostBytes)}, RAM could come "
                + $"up to 0x{memory.End:x}; {whose} has {bits} physical address bits, which end at 0x{limit:x}; give a smaller max";
            throw ours < theirs ? new BadInputException($"{reach}, or another {OptionName.Cpu}") : new HostLimitException(reach);
        }

        ulong end = memory.Ram[^1].End;
        OptionMessage problem =
            $"{OptionName.Mem.With(ByteSize.Format(memory.Size))}: RAM would end at 0x{end:x}, since {ByteSize.Format(Hole)} "
            + $"below 4 GiB is kept for devices; {whose} has {bits} physical address bits, which end at 0x{limit:x}; give at "
            + $"most {OptionName.Mem.With($"{most / MemoryLayout.GiB}G")}";
        throw ours < theirs
            ? new BadInputException($"{problem}, or another {OptionName.Cpu}")
            : new HostLimitException(problem);
    }
}
