using System.Buffers.Binary;

namespace MiniVmm.Boot;

/// <summary>
/// Looks for Xen's entry note in an ELF file's PT_NOTE segments (ELF gABI, ch. 5; Xen public/elfnote.h).
/// </summary>
internal static class ElfNotes
{
    private const uint Phys32Entry = 18;
    private const int HeaderSize = 12;

    /// <returns>The 32-bit physical entry point of a PVH kernel, or null when no note gives one.</returns>
    /// <exception cref="BadInputException">A note that runs out of its segment, or one with an odd size.</exception>
    public static ulong? FindPvhEntry(string name, ElfFile elf)
    {
        foreach (ElfProgramHeader header in elf.ProgramHeaders)
        {
            if (header.Type == ElfSegmentType.Note && FindIn(name, header, elf.Contents(header).Span) is { } entry)
                return entry;
        }

        return null;
    }

    private static ulong? FindIn(string name, in ElfProgramHeader header, ReadOnlySpan<byte> notes)
    {
        // Descriptors and the next note are aligned to 4, or to 8 in segments that say so.
        ulong alignment = header.Alignment == 8 ? 8u : 4u;
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
                throw new BadInputException($"{name}: ELF program header {header.Index}: the note at 0x{at:x} " +
                    $"(n_namesz {nameSize}, n_descsz {descriptorSize}) runs out of its segment");
            }

            if (type == Phys32Entry && note.Slice(HeaderSize, (int)nameSize).SequenceEqual("Xen\0"u8))
            {
                ReadOnlySpan<byte> descriptor = note.Slice((int)descriptorAt, (int)descriptorSize);
                return descriptorSize switch
                {
                    4 => BinaryPrimitives.ReadUInt32LittleEndian(descriptor),
                    8 => BinaryPrimitives.ReadUInt64LittleEndian(descriptor),
                    _ => throw new BadInputException(
                        $"{name}: the PVH entry note (PHYS32_ENTRY) has n_descsz {descriptorSize}, neither 4 nor 8"),
                };
            }

            // The last note's padding may be missing.
            at = Math.Min(length, at + Align(end, alignment));
        }

        return null;
    }

    private static ulong Align(ulong value, ulong alignment) => (value + alignment - 1) & ~(alignment - 1);
}
