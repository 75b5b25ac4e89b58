using System.Buffers.Binary;

namespace MiniVmm.Boot;

/// <summary>
/// Looks for Xen's entry note in an ELF file's PT_NOTE segments (ELF gABI, ch. 5; Xen public/elfnote.h).
/// </summary>
internal static class ElfNotes
{
    /// <summary>The refusal of a file without such a note.</summary>
    public const string NoNote = "no PHYS32_ENTRY note";

    private const uint Phys32Entry = 18;
    private const int HeaderSize = 12;
    private const ulong Packed = 4;

    /// <param name="elf">The file.</param>
    /// <param name="refusal">Why no note gives an entry point: there is none, or it cannot be read.</param>
    /// <returns>The 32-bit physical entry point of a PVH kernel, or null when no note gives one.</returns>
    public static ulong? FindPvhEntry(ElfFile elf, out string refusal)
    {
        string? unreadable = null;
        foreach (ElfProgramHeader header in elf.ProgramHeaders)
        {
            if (header.Type != ElfSegmentType.Note)
                continue;
            if (!elf.HasBytes(header))
            {
                unreadable ??= $"the notes of program header {header.Index} run past the end of the file";
                continue;
            }

            ReadOnlySpan<byte> notes = elf.Contents(header).Span;
            string? fault = null;
            // Names and descriptors are aligned to p_align, but linkers also put sections packed by 4 into a segment
            // aligned by 8.
            ulong? entry = header.Alignment == 8 ? FindIn(header, notes, 8, ref fault) : null;
            entry ??= FindIn(header, notes, Packed, ref fault);
            if (entry is not null)
            {
                refusal = "";
                return entry;
            }

            unreadable ??= fault;
        }

        refusal = unreadable ?? NoNote;
        return null;
    }

    /// <param name="header">The segment, for <paramref name="fault"/>.</param>
    /// <param name="notes">Its bytes.</param>
    /// <param name="alignment">Of each descriptor and each note.</param>
    /// <param name="fault">Set to why the walk ended early, if it did.</param>
    private static ulong? FindIn(
        in ElfProgramHeader header, ReadOnlySpan<byte> notes, ulong alignment, ref string? fault)
    {
        ulong at = 0;
        ulong length = (ulong)notes.Length;
        while (length - at >= HeaderSize)
        {
            ReadOnlySpan<byte> note = notes[(int)at..];
            uint nameSize = BinaryPrimitives.ReadUInt32LittleEndian(note);
            uint descriptorSize = BinaryPrimitives.ReadUInt32LittleEndian(note[4..]);
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(note[8..]);
            ulong descriptorAt = Align(HeaderSize + (ulong)nameSize, alignment);
            ulong end = descriptorAt + descriptorSize;
            if (end > (ulong)note.Length)
            {
                fault = $"the note at 0x{at:x} of program header {header.Index} (n_namesz {nameSize}, n_descsz " +
                    $"{descriptorSize}) runs past the end of its segment";
                return null;
            }

            if (type == Phys32Entry && note.Slice(HeaderSize, (int)nameSize).SequenceEqual("Xen\0"u8))
            {
                ReadOnlySpan<byte> descriptor = note.Slice((int)descriptorAt, (int)descriptorSize);
                switch (descriptorSize)
                {
                    case 4:
                        return BinaryPrimitives.ReadUInt32LittleEndian(descriptor);
                    case 8:
                        return BinaryPrimitives.ReadUInt64LittleEndian(descriptor);
                    default:
                        fault = $"the PHYS32_ENTRY note has n_descsz {descriptorSize}, neither 4 nor 8";
                        break;
                }
            }

            // The last note's padding may be missing.
            at = Math.Min(length, at + Align(end, alignment));
        }

        return null;
    }

    private static ulong Align(ulong value, ulong alignment) => (value + alignment - 1) & ~(alignment - 1);
}
