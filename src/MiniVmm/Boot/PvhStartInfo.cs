using System.Buffers.Binary;
using System.Text;
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

    /// <summary>Most bytes of the block: the room that the layout gives it.</summary>
    private const int MaximumSize = (int)(MemoryLayout.ZeroPage - MemoryLayout.PvhStartInfo);

    /// <summary>Places the block; nothing may be reserved afterwards, since it has the memory map.</summary>
    /// <param name="plan">What is placed already.</param>
    /// <param name="file">Kernel file, for the error.</param>
    /// <param name="commandLine">Guest-physical address of the command line.</param>
    /// <param name="modules">The initial RAM disk, if there is one, then the modules.</param>
    /// <param name="rsdp">Guest-physical address of the RSDP.</param>
    /// <returns>Guest-physical address of the block.</returns>
    /// <exception cref="BadInputException">
    /// The modules' words are too long for the block, or the kernel leaves no room.
    /// </exception>
    public static ulong Place(
        LoadPlan plan, string file, ulong commandLine, IReadOnlyList<PlacedModule> modules, ulong rsdp)
    {
        const string name = "PVH start info";
        const int modulesAt = StructureSize;
        int mapAt = modulesAt + modules.Count * ModuleSize;
        IReadOnlyList<E820Entry> map = plan.Memory.E820;
        int textAt = mapAt + map.Count * MapEntrySize;
        long size = textAt + modules.Sum(module => (long)TextSize(module.File.Words));
        if (size > MaximumSize)
        {
            throw new BadInputException(
                $"{file}: the PVH start info takes {size} bytes, more than {MaximumSize}; give fewer modules, or " +
                "shorter words for them");
        }

        byte[] block = new byte[size];
        ulong address = plan.RoomFor(name, (ulong)block.Length, MemoryLayout.PvhStartInfo);
        U32(block, 0, Magic);
        U32(block, 4, Version);
        U64(block, 24, commandLine);
        U64(block, 32, rsdp);
        U64(block, 40, address + (ulong)mapAt);
        U32(block, 48, (uint)map.Count);
        if (modules.Count > 0)
        {
            U32(block, 12, (uint)modules.Count);
            U64(block, 16, address + modulesAt);
        }

        for (int i = 0; i < modules.Count; i++)
        {
            (GuestRange range, BootFile module) = modules[i];
            int at = modulesAt + i * ModuleSize;
            U64(block, at, range.Start);
            U64(block, at + 8, range.Length);
            if (module.Words.Length == 0)
                continue;
            U64(block, at + 16, address + (ulong)textAt);
            Encoding.UTF8.GetBytes(module.Words, block.AsSpan(textAt));
            textAt += TextSize(module.Words);
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

    private static int TextSize(string words) => words.Length == 0 ? 0 : Encoding.UTF8.GetByteCount(words) + 1;

    private static void U32(byte[] block, int at, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(at), value);

    private static void U64(byte[] block, int at, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(at), value);
}
