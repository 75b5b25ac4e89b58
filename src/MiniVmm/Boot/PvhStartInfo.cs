using System.Buffers.Binary;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// What a PVH kernel is handed in EBX: hvm_start_info version 1 with its module list and memory map, as one block (Xen
/// public/arch-x86/hvm/start_info.h). Its memory types are e820's.
/// </summary>
internal static class PvhStartInfo
{
    private const uint Magic = 0x336e_c578;
    private const uint Version = 1;
    private const int StructureSize = 56;
    private const int ModuleSize = 32;
    private const int MapEntrySize = 24;

    /// <summary>Places the block; nothing may be reserved afterwards, since it has the memory map.</summary>
    /// <param name="plan">What is placed already.</param>
    /// <param name="commandLine">Guest-physical address of the command line.</param>
    /// <param name="initrd">The initial RAM disk in guest memory, if there is one.</param>
    /// <param name="rsdp">Guest-physical address of the RSDP.</param>
    /// <returns>Guest-physical address of the block.</returns>
    /// <exception cref="BadInputException">The kernel leaves no room.</exception>
    public static ulong Place(LoadPlan plan, ulong commandLine, GuestRange? initrd, ulong rsdp)
    {
        const string name = "PVH start info";
        const int moduleAt = StructureSize;
        const int mapAt = moduleAt + ModuleSize;
        IReadOnlyList<E820Entry> map = plan.Memory.E820;
        byte[] block = new byte[mapAt + map.Count * MapEntrySize];
        ulong address = plan.RoomFor(name, (ulong)block.Length, MemoryLayout.PvhStartInfo);
        U32(block, 0, Magic);
        U32(block, 4, Version);
        U64(block, 24, commandLine);
        U64(block, 32, rsdp);
        U64(block, 40, address + mapAt);
        U32(block, 48, (uint)map.Count);
        if (initrd is { } module)
        {
            U32(block, 12, 1);
            U64(block, 16, address + moduleAt);
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

        plan.Add(new(name, address, block));
        return address;
    }

    private static void U32(byte[] block, int at, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(at), value);

    private static void U64(byte[] block, int at, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(at), value);
}
