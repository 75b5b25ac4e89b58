using System.Buffers.Binary;
using System.Text;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// The multiboot information structure with all that it points to, as one block (Multiboot 0.6.96, 3.3).
/// </summary>
internal static class MultibootInfo
{
    /// <summary>Most bytes of the block: the room that the layout gives it.</summary>
    public const int MaximumSize = (int)(MemoryLayout.CommandLine - MemoryLayout.MultibootInfo);

    // Everything up to the VBE fields.
    private const int StructureSize = 88;
    private const int ModuleEntrySize = 16;
    private const int MapEntrySize = 24;

    private const uint HasMemory = 1 << 0;
    private const uint HasBootDevice = 1 << 1;
    private const uint HasCommandLine = 1 << 2;
    private const uint HasModules = 1 << 3;
    private const uint HasMemoryMap = 1 << 6;
    private const uint HasLoaderName = 1 << 9;

    // First hard disk, no partition: what QEMU says too.
    private const uint BootDevice = 0x8000_ffff;

    /// <summary>A module in guest memory, [Start, End), and its string.</summary>
    public readonly record struct Module(uint Start, uint End, string Text);

    /// <summary>Places the block; nothing may be reserved afterwards, since it has the memory map.</summary>
    /// <returns>Guest-physical address of the block.</returns>
    /// <exception cref="BadInputException">
    /// The strings are too long for the block, or the kernel leaves no room.
    /// </exception>
    public static ulong Place(LoadPlan plan, string file, string commandLine, Module? module)
    {
        const string name = "multiboot information";
        GuestMemoryMap memory = plan.Memory;
        IReadOnlyList<E820Entry> map = memory.E820;
        int mapOffset = StructureSize;
        int moduleOffset = mapOffset + map.Count * MapEntrySize;
        int textOffset = moduleOffset + ModuleEntrySize;

        byte[] loader = "MiniVmm\0"u8.ToArray();
        byte[] line = KernelCommandLine.Encode(file, commandLine, MaximumSize);
        byte[] moduleText = module is { } named ? Encoding.UTF8.GetBytes(named.Text + '\0') : [];
        long size = (long)textOffset + loader.Length + line.Length + moduleText.Length;
        if (size > MaximumSize)
        {
            throw new BadInputException(
                $"{file}: the multiboot information takes {size} bytes, more than {MaximumSize}; shorten " +
                "--append");
        }

        byte[] block = new byte[size];
        ulong address = plan.RoomFor(name, (ulong)size, MemoryLayout.MultibootInfo);
        int lineOffset = textOffset + loader.Length;
        int moduleTextOffset = lineOffset + line.Length;
        loader.CopyTo(block, textOffset);
        line.CopyTo(block, lineOffset);
        moduleText.CopyTo(block, moduleTextOffset);

        Put(block, 0, HasMemory | HasBootDevice | HasCommandLine | HasModules | HasMemoryMap | HasLoaderName);
        Put(block, 4, (uint)(memory.BaseMemoryEnd / MemoryLayout.KiB));
        Put(block, 8, (uint)((memory.ExtendedMemoryEnd - MemoryLayout.HighMemory) / MemoryLayout.KiB));
        Put(block, 12, BootDevice);
        Put(block, 16, Address(lineOffset));
        Put(block, 20, module is null ? 0u : 1u);
        Put(block, 24, Address(moduleOffset));
        Put(block, 44, (uint)(map.Count * MapEntrySize));
        Put(block, 48, Address(mapOffset));
        Put(block, 64, Address(textOffset));

        if (module is { } placed)
        {
            Put(block, moduleOffset, placed.Start);
            Put(block, moduleOffset + 4, placed.End);
            Put(block, moduleOffset + 8, Address(moduleTextOffset));
        }

        for (int i = 0; i < map.Count; i++)
        {
            Span<byte> entry = block.AsSpan(mapOffset + i * MapEntrySize, MapEntrySize);
            // The size field does not count itself.
            BinaryPrimitives.WriteUInt32LittleEndian(entry, MapEntrySize - 4);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[4..], map[i].Range.Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[12..], map[i].Range.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[20..], (uint)map[i].Type);
        }

        plan.Add(new(name, address, block));
        return address;

        uint Address(int offset) => (uint)address + (uint)offset;
    }

    private static void Put(byte[] block, int offset, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(offset), value);
}
