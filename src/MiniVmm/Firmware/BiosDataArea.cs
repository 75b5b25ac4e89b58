using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Firmware;

/// <summary>
/// What a BIOS leaves in the first 1280 bytes and in the extended BIOS data area, as far as kernels for PCs look at it:
/// the real-mode interrupt vectors, and the BIOS data area from 0x400 on (IBM PC/AT Technical Reference, "BIOS Data
/// Area"; Ralf Brown's MEMORY.LST).
/// </summary>
internal static class BiosDataArea
{
    private const int Size = (int)(MemoryLayout.BiosDataEnd - MemoryLayout.BiosData);
    private const int Vectors = 256;
    private const byte Iret = 0xcf;

    // Offsets from 0x400, by their names in the references.
    private const int Com1 = 0x00;
    private const int EbdaSegment = 0x0e;
    private const int Equipment = 0x10;
    private const int BaseMemoryKiB = 0x13;
    private const int VideoMode = 0x49;
    private const int Columns = 0x4a;
    private const int VideoPageSize = 0x4c;
    private const int CursorShape = 0x60;
    private const int CrtcPort = 0x63;
    private const int LastRow = 0x84;
    private const int CharacterHeight = 0x85;

    // The keyboard's ring of 16 words, by offsets from 0x400: empty.
    private const int KeyboardHead = 0x1a;
    private const int KeyboardTail = 0x1c;
    private const int KeyboardStart = 0x80;
    private const int KeyboardEnd = 0x82;
    private const ushort KeyboardRing = 0x1e;
    private const ushort KeyboardRingEnd = KeyboardRing + 16 * 2;

    private const ushort MathCoprocessor = 1 << 1;
    private const ushort PointingDevice = 1 << 2;
    private const ushort Colour80x25 = 2 << 4;
    private const ushort SerialPort = 1 << 9; // their number is there

    private const byte ColourText80x25 = 3;
    private const ushort UnderlineCursor = 0x0607; // scan lines 6 and 7

    /// <summary>
    /// The BIOS data area: COM1, perhaps COM2, 80×25 colour text with the cursor at the top left, no disks, no other ports.
    /// </summary>
    /// <param name="memory">For the size of base memory.</param>
    /// <param name="hasCom2">Whether there is a second serial port.</param>
    public static LoadSegment Build(GuestMemoryMap memory, bool hasCom2 = false)
    {
        ArgumentNullException.ThrowIfNull(memory);
        byte[] data = new byte[Size];
        Put(Com1, IoPorts.Serial);
        Put(EbdaSegment, (ushort)(MemoryLayout.Ebda >> 4));
        if (hasCom2)
            Put(Com1 + 2, IoPorts.Serial2);
        Put(Equipment, (ushort)(MathCoprocessor | PointingDevice | Colour80x25 | (SerialPort * (hasCom2 ? 2 : 1))));
        Put(BaseMemoryKiB, (ushort)(memory.BaseMemoryEnd / MemoryLayout.KiB));
        data[VideoMode] = ColourText80x25;
        Put(Columns, 80);
        Put(VideoPageSize, 0x1000);
        Put(CursorShape, UnderlineCursor);
        Put(CrtcPort, IoPorts.VgaCrtc);
        data[LastRow] = 25 - 1;
        Put(CharacterHeight, 16);
        Put(KeyboardHead, KeyboardRing);
        Put(KeyboardTail, KeyboardRing);
        Put(KeyboardStart, KeyboardRing);
        Put(KeyboardEnd, KeyboardRingEnd);
        return new("BIOS data area", MemoryLayout.BiosData, data);

        void Put(int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(offset), value);
    }

    /// <summary>The first byte of the extended BIOS data area: its size in KiB.</summary>
    public static LoadSegment BuildEbda() => new("extended BIOS data area", MemoryLayout.Ebda, (byte[])[1]);

    /// <summary>An interrupt handler that does nothing.</summary>
    /// <param name="address">Guest-physical address below 1 MiB.</param>
    public static LoadSegment BuildHandler(ulong address) => new("real-mode IRET", address, (byte[])[Iret]);

    /// <summary>
    /// The real-mode interrupt vectors, all to one handler: an interrupt that nobody expects is no crash.
    /// </summary>
    /// <param name="handler">Guest-physical address of the handler, below 1 MiB.</param>
    public static LoadSegment BuildVectors(ulong handler)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(handler, MemoryLayout.HighMemory);
        byte[] table = new byte[Vectors * 4];
        for (int vector = 0; vector < Vectors; vector++)
        {
            Span<byte> pointer = table.AsSpan(vector * 4);
            BinaryPrimitives.WriteUInt16LittleEndian(pointer, (ushort)handler);
            BinaryPrimitives.WriteUInt16LittleEndian(pointer[2..], (ushort)(handler >> 4 & 0xf000));
        }

        return new("real-mode interrupt vectors", MemoryLayout.InterruptVectors, table);
    }
}
