using System.Buffers.Binary;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// What a PVH kernel is handed in EBX: hvm_start_info version 1 with its module list and memory map, as one block at
/// <see cref="MemoryLayout.PvhStartInfo"/> (Xen public/arch-x86/hvm/start_info.h). Its memory types are e820's.
/// </summary>
internal static class PvhStartInfo
{
    private const uint Magic = 0x336e_c578;
    private const uint Version = 1;
    private const int StructureSize = 56;
    private const int ModuleSize = 32;
    private const int MapEntrySize = 24;

    /// <param name="initrd">The initial RAM disk in guest memory, if there is one.</param>
    /// <param name="memory">Where the guest has RAM.</param>
    /// <param name="rsdp">Guest-physical address of the RSDP, 0 for none.</param>
    public static LoadSegment Build(GuestRange? initrd, GuestMemoryMap memory, ulong rsdp)
    {
        const int moduleAt = StructureSize;
        const int mapAt = moduleAt + ModuleSize;
        IReadOnlyList<E820Entry> map = memory.E820;
        byte[] block = new byte[mapAt + map.Count * MapEntrySize];
        U32(block, 0, Magic);
        U32(block, 4, Version);
        U64(block, 24, MemoryLayout.CommandLine);
        U64(block, 32, rsdp);
        U64(block, 40, MemoryLayout.PvhStartInfo + mapAt);
        U32(block, 48, (uint)map.Count);
        if (initrd is { } module)
        {
            U32(block, 12, 1);
            U64(block, 16, MemoryLayout.PvhStartInfo + moduleAt);
            U64(block, moduleAt, module.Start);
            U64(block, moduleAt + 8, module.Length);
        }

        for (int i = 0; i < map.Count; i++)
        {
            int at = mapAt + i * MapEntrySize;
            U64(block, at, map[i].Range.Start);
            U64(block, at + 8, map[i].Range.Length);
            U32(block, at + 16, (uint)map[i].Type);
        }

        return new("PVH start info", MemoryLayout.PvhStartInfo, block);
    }

    private static void U32(byte[] block, int at, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(at), value);

    private static void U64(byte[] block, int at, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(at), value);
}
