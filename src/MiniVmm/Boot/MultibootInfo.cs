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

    // Everything up to the framebuffer's colours, and to a multiple of eight.
    private const int StructureSize = 120;
    private const int ModuleEntrySize = 16;
    private const int MapEntrySize = 24;

    private const uint HasMemory = 1 << 0;
    private const uint HasBootDevice = 1 << 1;
    private const uint HasCommandLine = 1 << 2;
    private const uint HasModules = 1 << 3;
    private const uint HasMemoryMap = 1 << 6;
    private const uint HasLoaderName = 1 << 9;
    private const uint HasFramebuffer = 1 << 12;

    private const byte DirectColour = 1, TextMode = 2;
    private const ulong TextAddress = 0xb8000;
    private const int TextColumns = 80, TextRows = 25;

    // First hard disk, no partition: what QEMU says too.
    private const uint BootDevice = 0x8000_ffff;

    /// <summary>Places the block; nothing may be reserved afterwards, since it has the memory map.</summary>
    /// <returns>Guest-physical address of the block.</returns>
    /// <exception cref="BadInputException">
    /// The strings are too long for the block, or the kernel leaves no room.
    /// </exception>
    public static ulong Place(
        LoadPlan plan,
        string file,
        string commandLine,
        IReadOnlyList<PlacedModule> modules,
        MultibootVideo? video = null,
        FramebufferInfo? framebuffer = null)
    {
        const string name = "multiboot information";
        GuestMemoryMap memory = plan.Memory;
        IReadOnlyList<E820Entry> map = memory.E820;
        int mapOffset = StructureSize;
        int moduleOffset = mapOffset + map.Count * MapEntrySize;
        int textOffset = moduleOffset + modules.Count * ModuleEntrySize;

        byte[] loader = "MiniVmm\0"u8.ToArray();
        byte[] line = KernelCommandLine.Encode(file, commandLine, MaximumSize);
        List<byte[]> moduleTexts = [.. modules.Select(module => Encoding.UTF8.GetBytes(module.File.Text + '\0'))];
        long size = (long)textOffset + loader.Length + line.Length + moduleTexts.Sum(text => (long)text.Length);
        if (size > MaximumSize)
        {
            throw new BadInputException(
                $"{file}: the multiboot information takes {size} bytes, more than {MaximumSize}; shorten " +
                $"{OptionName.Append} or the modules' words");
        }

        byte[] block = new byte[size];
        ulong address = plan.RoomFor(name, (ulong)size, MemoryLayout.MultibootInfo);
        int lineOffset = textOffset + loader.Length;
        loader.CopyTo(block, textOffset);
        line.CopyTo(block, lineOffset);

        Put(block, 0, HasMemory | HasBootDevice | HasCommandLine | HasModules | HasMemoryMap | HasLoaderName);
        Put(block, 4, (uint)(memory.BaseMemoryEnd / MemoryLayout.KiB));
        Put(block, 8, (uint)((memory.ExtendedMemoryEnd - MemoryLayout.HighMemory) / MemoryLayout.KiB));
        Put(block, 12, BootDevice);
        Put(block, 16, Address(lineOffset));
        Put(block, 20, (uint)modules.Count);
        Put(block, 24, Address(moduleOffset));
        Put(block, 44, (uint)(map.Count * MapEntrySize));
        Put(block, 48, Address(mapOffset));
        Put(block, 64, Address(textOffset));
        if (video is not null || framebuffer is not null)
            PutFramebuffer(block, framebuffer);

        int moduleTextOffset = lineOffset + line.Length;
        for (int i = 0; i < modules.Count; i++)
        {
            int at = moduleOffset + i * ModuleEntrySize;
            Put(block, at, (uint)modules[i].Range.Start);
            Put(block, at + 4, (uint)modules[i].Range.End);
            Put(block, at + 8, Address(moduleTextOffset));
            moduleTexts[i].CopyTo(block, moduleTextOffset);
            moduleTextOffset += moduleTexts[i].Length;
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

    /// <summary>The framebuffer, or the text screen that every machine has.</summary>
    private static void PutFramebuffer(byte[] block, FramebufferInfo? framebuffer)
    {
        block[1] |= (byte)(HasFramebuffer >> 8);
        Span<byte> at = block.AsSpan(88);
        BinaryPrimitives.WriteUInt64LittleEndian(at, framebuffer?.Address ?? TextAddress);
        BinaryPrimitives.WriteInt32LittleEndian(at[8..], framebuffer?.Pitch ?? TextColumns * sizeof(ushort));
        BinaryPrimitives.WriteInt32LittleEndian(at[12..], framebuffer?.Width ?? TextColumns);
        BinaryPrimitives.WriteInt32LittleEndian(at[16..], framebuffer?.Height ?? TextRows);
        at[20] = framebuffer is null ? (byte)16 : FramebufferInfo.BitsPerPixel;
        at[21] = framebuffer is null ? TextMode : DirectColour;
        if (framebuffer is null)
            return;
        (at[22], at[23]) = (FramebufferInfo.RedPosition, FramebufferInfo.ColourBits);
        (at[24], at[25]) = (FramebufferInfo.GreenPosition, FramebufferInfo.ColourBits);
        (at[26], at[27]) = (FramebufferInfo.BluePosition, FramebufferInfo.ColourBits);
    }

    private static void Put(byte[] block, int offset, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(offset), value);
}
