using System.Buffers.Binary;

namespace MiniVmm.Tests.Boot;

/// <summary>Writes small ELF files, right unless a test sets a field wrong.</summary>
internal sealed class ElfBuilder(bool is64)
{
    public const uint Load = 1;
    public const uint Note = 4;

    public sealed record Segment(uint Type, ulong Virtual, ulong Physical, byte[] Data, ulong MemorySize)
    {
        public uint Flags { get; init; } = 7;
        public ulong? Offset { get; init; }
        public ulong? FileSize { get; init; }
        public ulong Alignment { get; init; } = 4;
    }

    public List<Segment> Segments { get; } = [];
    public ulong Entry { get; set; } = 0x100000;
    public ushort Type { get; set; } = 2;
    public ushort Machine { get; set; } = is64 ? (ushort)62 : (ushort)3;
    public byte Class { get; set; } = is64 ? (byte)2 : (byte)1;
    public byte DataEncoding { get; set; } = 1;
    public ushort? EntrySize { get; set; }
    public ushort? Count { get; set; }
    public ulong? TableOffset { get; set; }

    public ElfBuilder With(ulong address, byte[] data, ulong? memorySize = null, ulong? virtualAddress = null)
    {
        Segments.Add(new(Load, virtualAddress ?? address, address, data, memorySize ?? (ulong)data.Length));
        return this;
    }

    public ElfBuilder With(Segment segment)
    {
        Segments.Add(segment);
        return this;
    }

    /// <summary>Adds a PT_NOTE with a Xen PHYS32_ENTRY.</summary>
    public ElfBuilder WithPvhNote(ulong entry, int descriptorSize = 4, ulong alignment = 4)
    {
        // 12 bytes of header and 4 of name: a multiple of 4 and of 8.
        const int descriptorAt = 16;
        byte[] note = new byte[descriptorAt + 8];
        BinaryPrimitives.WriteUInt32LittleEndian(note, 4);
        BinaryPrimitives.WriteInt32LittleEndian(note.AsSpan(4), descriptorSize);
        BinaryPrimitives.WriteUInt32LittleEndian(note.AsSpan(8), 18);
        "Xen\0"u8.CopyTo(note.AsSpan(12));
        BinaryPrimitives.WriteUInt64LittleEndian(note.AsSpan(descriptorAt), entry);
        int length = descriptorAt + Math.Clamp(descriptorSize, 0, 8);
        Segments.Add(new(Note, 0, 0, note[..length], (ulong)length) { Alignment = alignment });
        return this;
    }

    public byte[] Build()
    {
        int headerSize = is64 ? 64 : 52;
        int entrySize = is64 ? 56 : 32;
        int dataStart = headerSize + entrySize * Segments.Count;
        byte[] file = new byte[dataStart + Segments.Sum(segment => segment.Data.Length)];
        byte[] magic = [0x7f, (byte)'E', (byte)'L', (byte)'F', Class, DataEncoding, 1];
        magic.CopyTo(file, 0);
        U16(file, 16, Type);
        U16(file, 18, Machine);
        U32(file, 20, 1);
        Word(file, 24, Entry);
        Word(file, is64 ? 32 : 28, TableOffset ?? (ulong)headerSize);
        U16(file, is64 ? 52 : 40, (ushort)headerSize);
        U16(file, is64 ? 54 : 42, EntrySize ?? (ushort)entrySize);
        U16(file, is64 ? 56 : 44, Count ?? (ushort)Segments.Count);

        int at = dataStart;
        for (int i = 0; i < Segments.Count; i++)
        {
            Segment segment = Segments[i];
            int header = headerSize + i * entrySize;
            segment.Data.CopyTo(file, at);
            ulong offset = segment.Offset ?? (ulong)at;
            ulong fileSize = segment.FileSize ?? (ulong)segment.Data.Length;
            U32(file, header, segment.Type);
            if (is64)
            {
                U32(file, header + 4, segment.Flags);
                ulong[] words =
                    [offset, segment.Virtual, segment.Physical, fileSize, segment.MemorySize, segment.Alignment];
                for (int w = 0; w < words.Length; w++)
                    Word(file, header + 8 + w * 8, words[w]);
            }
            else
            {
                ulong[] words =
                [
                    offset, segment.Virtual, segment.Physical, fileSize, segment.MemorySize, segment.Flags,
                    segment.Alignment,
                ];
                for (int w = 0; w < words.Length; w++)
                    Word(file, header + 4 + w * 4, words[w]);
            }

            at += segment.Data.Length;
        }

        return file;
    }

    /// <summary>A section: its header's fields and its bytes.</summary>
    public sealed record Section(uint Type, ulong Flags, ulong Address, byte[] Data);

    /// <summary>An ELF64 file with sections behind an empty one, whose headers end the file.</summary>
    public byte[] BuildWithSections(params IReadOnlyList<Section> sections)
    {
        Assert.True(is64);
        const int size = 64;
        byte[] file = Build();
        int contents = file.Length;
        int table = contents + sections.Sum(section => section.Data.Length);
        Array.Resize(ref file, table + (sections.Count + 1) * size);
        Word(file, 40, (ulong)table);
        U16(file, 58, size);
        U16(file, 60, (ushort)(sections.Count + 1));
        for (int i = 0; i < sections.Count; i++)
        {
            Section section = sections[i];
            int at = table + (i + 1) * size;
            U32(file, at + 4, section.Type);
            ulong[] words = [section.Flags, section.Address, (ulong)contents, (ulong)section.Data.Length];
            for (int w = 0; w < words.Length; w++)
                Word(file, at + 8 + w * 8, words[w]);
            section.Data.CopyTo(file, contents);
            contents += section.Data.Length;
        }

        return file;
    }

    private void Word(byte[] file, int at, ulong value)
    {
        if (is64)
            BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(at), value);
        else
            U32(file, at, (uint)value);
    }

    private static void U16(byte[] file, int at, ushort value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(at), value);

    private static void U32(byte[] file, int at, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), value);
}
