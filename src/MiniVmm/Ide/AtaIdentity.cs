using System.Buffers.Binary;

namespace MiniVmm.Ide;

/// <summary>What IDENTIFY DEVICE and IDENTIFY PACKET DEVICE answer: 256 words (ATA/ATAPI-6, tables 22 and 24).</summary>
internal static class AtaIdentity
{
    private const int Words = 256;
    private const ushort Always = 1 << 14; // of words that say that they are valid

    /// <summary>A hard disk.</summary>
    public static void OfDisk(Span<byte> answer, AtaDisk disk, string serial)
    {
        Clear(answer);
        DiskGeometry original = DiskGeometry.Of(disk.Capacity);
        Word(answer, 0, 0x0040); // fixed
        Word(answer, 1, original.Cylinders);
        Word(answer, 3, original.Heads);
        Word(answer, 6, original.Sectors);
        Names(answer, serial, "MiniVmm disk");
        Word(answer, 47, 0x8010); // 16 sectors a block
        Word(answer, 49, 0x0b00); // LBA, DMA, IORDY
        Word(answer, 53, 0x0007);
        DiskGeometry now = disk.Geometry;
        Word(answer, 54, now.Cylinders);
        Word(answer, 55, now.Heads);
        Word(answer, 56, now.Sectors);
        Long(answer, 57, (uint)(now.Cylinders * now.Heads * now.Sectors));
        if (disk.Multiple > 0)
            Word(answer, 59, 0x0100 | disk.Multiple);
        Long(answer, 60, (uint)Math.Min(disk.Capacity, 0x0fff_ffff));
        Timing(answer, disk.TransferMode);
        Word(answer, 80, 0x007e); // ATA-1 to ATA/ATAPI-6
        Word(answer, 82, Always | (1 << 5)); // NOP, write cache
        Word(answer, 83, Always | (1 << 13) | (1 << 12) | (1 << 10)); // both flushes, 48 bits
        Word(answer, 84, Always);
        Word(answer, 85, Always | (1 << 5));
        Word(answer, 86, (1 << 13) | (1 << 12) | (1 << 10));
        Word(answer, 87, Always);
        BinaryPrimitives.WriteUInt64LittleEndian(answer[(100 * 2)..], disk.Capacity);
    }

    /// <summary>A CD-ROM drive.</summary>
    public static void OfCd(Span<byte> answer, byte transferMode, string serial)
    {
        Clear(answer);
        Word(answer, 0, 0x85c0); // packets of 12 bytes, removable, CD-ROM
        Names(answer, serial, "MiniVmm CD-ROM");
        Word(answer, 49, 0x0b00);
        Word(answer, 53, 0x0007);
        Timing(answer, transferMode);
        Word(answer, 80, 0x007e);
        Word(answer, 82, Always | (1 << 4) | (1 << 9)); // packets, DEVICE RESET
        Word(answer, 83, Always);
        Word(answer, 84, Always);
        Word(answer, 85, Always | (1 << 4) | (1 << 9));
        Word(answer, 87, Always);
    }

    private static void Clear(Span<byte> answer) => answer[..(Words * 2)].Clear();

    private static void Names(Span<byte> answer, string serial, string model)
    {
        Text(answer, 10, 10, serial);
        Text(answer, 23, 4, "1.0");
        Text(answer, 27, 20, model);
    }

    /// <summary>Modes that can be chosen, and which one is.</summary>
    private static void Timing(Span<byte> answer, byte mode)
    {
        int chosen = 1 << (8 + (mode & 7));
        Word(answer, 63, 0x07 | (mode < 0x40 ? chosen : 0)); // multi-word DMA 0 to 2
        Word(answer, 64, 0x03); // PIO 3 and 4
        for (int word = 65; word <= 68; word++)
            Word(answer, word, 120); // ns of a cycle
        Word(answer, 88, 0x3f | (mode >= 0x40 ? chosen : 0)); // Ultra DMA 0 to 5
        Word(answer, 93, Always | (1 << 13) | 1); // 80 wires
    }

    private static void Word(Span<byte> answer, int word, int value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(answer[(word * 2)..], (ushort)value);

    private static void Long(Span<byte> answer, int word, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(answer[(word * 2)..], value);

    /// <summary>Letters, two a word, the first in the upper byte, with spaces behind.</summary>
    private static void Text(Span<byte> answer, int word, int words, string text)
    {
        for (int i = 0; i < words * 2; i++)
            answer[(word * 2) + (i ^ 1)] = i < text.Length ? (byte)text[i] : (byte)' ';
    }
}
