using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Firmware;

/// <summary>What <see cref="FwCfg"/> says of every machine that has one, in QEMU's layout.</summary>
internal static class FwCfgMachine
{
    /// <summary>Name of the file with the memory map.</summary>
    public const string E820 = "etc/e820";

    /// <summary>Sets the items of a machine.</summary>
    /// <param name="items">Gets them.</param>
    /// <param name="memory">Where its RAM is.</param>
    /// <param name="cpus">Its processors.</param>
    public static void Describe(FwCfgItems items, GuestMemoryMap memory, FirmwareCpus cpus)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(cpus);
        items.Set(FwCfgItems.Key.Signature, "QEMU"u8.ToArray());
        items.Set32(FwCfgItems.Key.Id, FwCfg.Features);
        items.Set(FwCfgItems.Key.Uuid, new byte[16]);
        items.Set64(FwCfgItems.Key.RamSize, memory.Size);
        items.Set16(FwCfgItems.Key.NoGraphic, 1);
        items.Set16(FwCfgItems.Key.CpuCount, Clamp(cpus.All.Count(cpu => cpu.Present)));

        // Not the number of processors, but of APIC IDs that they may have, holes included: firmware tells them by these.
        items.Set16(FwCfgItems.Key.MaxCpus, Clamp(cpus.All.Max(cpu => cpu.ApicId) + 1));
        items.Set32(FwCfgItems.Key.TimerOverride, 1);
        items.TryAddFile(E820, BuildE820(memory));
    }

    private static ushort Clamp(long count) => (ushort)Math.Min(count, ushort.MaxValue);

    /// <summary>RAM alone: firmware reserves in it what it needs itself.</summary>
    private static byte[] BuildE820(GuestMemoryMap memory)
    {
        ByteWriter table = new();
        foreach (GuestRange ram in memory.Ram)
        {
            table.U64(ram.Start);
            table.U64(ram.Length);
            table.U32((uint)E820Type.Ram);
        }

        return table.ToArray();
    }
}
