using System.Buffers.Binary;
using System.Text;
using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// The boot information of a multiboot 2 kernel: one block of tags (Multiboot 2.0, 3.6). What the machine does not have
/// (a BIOS disk, APM, EFI, SMBIOS, a network's answer) has no tag.
/// </summary>
/// <param name="plan">What is placed already.</param>
/// <param name="file">Kernel file, for errors.</param>
internal sealed class Multiboot2Info(LoadPlan plan, string file)
{
    /// <summary>Most bytes of the block; what a kernel's page tables for its start surely reach.</summary>
    private const int MaximumSize = 256 * 1024;

    private const int TagAlignment = 8;
    private const uint MapEntrySize = 24;

    /// <summary>The kernel's words.</summary>
    public required string CommandLine { get; init; }

    public required IReadOnlyList<PlacedModule> Modules { get; init; }

    /// <summary>A copy of the ACPI root pointer.</summary>
    public required ReadOnlyMemory<byte> Rsdp { get; init; }

    /// <summary>The framebuffer that the kernel has; null for the text screen.</summary>
    public FramebufferInfo? Screen { get; init; }

    /// <summary>Where a relocatable kernel starts; null for another.</summary>
    public ulong? LoadBase { get; init; }

    /// <summary>The section headers of the kernel's ELF file; null where there are none.</summary>
    public ElfSections? Sections { get; set; }

    /// <summary>Places the block; nothing may be reserved afterwards, since it has the memory map.</summary>
    /// <returns>Guest-physical address of the block.</returns>
    /// <exception cref="BadInputException">
    /// The strings are too long for the block, or the kernel leaves no room.
    /// </exception>
    public ulong Place()
    {
        const string name = "multiboot information";
        // Counted first: words that are far too long are not worth a block.
        byte[] line = KernelCommandLine.Encode(file, CommandLine, MemoryLayout.CommandLineMax - 1);
        long words = line.Length + Modules.Sum(module => (long)Encoding.UTF8.GetByteCount(module.File.Label) + 24);
        RequireRoom(words);

        ByteWriter block = new();
        block.Zeros(8);
        Append(block, Tag.CommandLine, tag => tag.Bytes(line));
        Append(block, Tag.LoaderName, tag => tag.Bytes("MiniVmm\0"u8));
        foreach (PlacedModule module in Modules)
        {
            Append(block, Tag.Module, tag =>
            {
                tag.U32((uint)module.Range.Start);
                tag.U32((uint)module.Range.End);
                tag.Bytes(Encoding.UTF8.GetBytes(module.File.Label + '\0'));
            });
        }

        Append(block, Tag.BasicMemory, tag =>
        {
            tag.U32((uint)(plan.Memory.BaseMemoryEnd / MemoryLayout.KiB));
            tag.U32((uint)((plan.Memory.ExtendedMemoryEnd - MemoryLayout.HighMemory) / MemoryLayout.KiB));
        });
        Append(block, Tag.MemoryMap, AppendMap);
        Append(block, Tag.Framebuffer, AppendScreen);
        if (Sections is { } sections)
        {
            Append(block, Tag.ElfSections, tag =>
            {
                tag.U32(sections.Count);
                tag.U32(sections.EntrySize);
                tag.U32(sections.NamesIndex);
                tag.Bytes(sections.Table);
            });
        }

        // A revision 2 root pointer starts with one of revision 1.
        const int oldRsdpSize = 20;
        Append(block, Tag.AcpiOld, tag => tag.Bytes(Rsdp.Span[..oldRsdpSize]));
        Append(block, Tag.AcpiNew, tag => tag.Bytes(Rsdp.Span));
        if (LoadBase is { } loadBase)
            Append(block, Tag.LoadBase, tag => tag.U32((uint)loadBase));
        Append(block, Tag.End, _ => { });

        RequireRoom(block.Length);
        byte[] bytes = block.ToArray();
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)bytes.Length);
        ulong address = plan.RoomFor(name, (ulong)bytes.Length, MemoryLayout.MultibootInfo);
        plan.Add(new(name, address, bytes));
        return address;
    }

    private void AppendMap(ByteWriter tag)
    {
        tag.U32(MapEntrySize);
        tag.U32(0); // entry_version
        foreach (E820Entry entry in plan.Memory.E820)
        {
            tag.U64(entry.Range.Start);
            tag.U64(entry.Range.Length);
            tag.U32((uint)entry.Type);
            tag.U32(0);
        }
    }

    /// <summary>3.6.12.</summary>
    private void AppendScreen(ByteWriter tag)
    {
        const byte directColour = 1, egaText = 2;
        const int columns = 80, rows = 25;
        tag.U64(Screen?.Address ?? MemoryLayout.TextScreen);
        tag.U32((uint)(Screen?.Pitch ?? columns * sizeof(ushort)));
        tag.U32((uint)(Screen?.Width ?? columns));
        tag.U32((uint)(Screen?.Height ?? rows));
        tag.U8(Screen is null ? (byte)16 : FramebufferInfo.BitsPerPixel); // of a cell, or of a dot
        tag.U8(Screen is null ? egaText : directColour);
        tag.U16(0);
        if (Screen is null)
            return;
        foreach (byte position in (ReadOnlySpan<byte>)[FramebufferInfo.RedPosition, FramebufferInfo.GreenPosition, FramebufferInfo.BluePosition])
        {
            tag.U8(position);
            tag.U8(FramebufferInfo.ColourBits);
        }
    }

    private static void Append(ByteWriter block, Tag type, Action<ByteWriter> fields)
    {
        ByteWriter tag = new();
        fields(tag);
        block.U32((uint)type);
        block.U32((uint)(8 + tag.Length));
        block.Bytes(tag.Written);
        block.Zeros(-block.Length & (TagAlignment - 1));
    }

    private void RequireRoom(long size)
    {
        if (size > MaximumSize)
        {
            throw new BadInputException(
                $"{file}: the multiboot information takes {size} bytes, more than {MaximumSize}; shorten " +
                $"{OptionName.Append} or the modules' words");
        }
    }

    private enum Tag : uint
    {
        End = 0,
        CommandLine = 1,
        LoaderName = 2,
        Module = 3,
        BasicMemory = 4,
        MemoryMap = 6,
        Framebuffer = 8,
        ElfSections = 9,
        AcpiOld = 14,
        AcpiNew = 15,
        LoadBase = 21,
    }
}
