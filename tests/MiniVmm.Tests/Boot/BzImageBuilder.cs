using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Tests.Boot;

/// <summary>Writes small bzImage files around a payload, right unless a test sets a field wrong.</summary>
internal sealed class BzImageBuilder(byte[] payload)
{
    private const int PayloadAt = 0x240;

    public byte SetupSectors { get; set; } = 1;
    public ushort Version { get; set; } = 0x20f;
    public byte LoadFlags { get; set; } = 1;
    public ushort ExtendedFlags { get; set; } = 3;
    public byte Jump { get; set; } = 0x6a;
    public byte Relocatable { get; set; } = 1;
    public uint Alignment { get; set; } = 0x200000;
    public uint CommandLineSize { get; set; } = 2047;
    public uint InitrdMax { get; set; } = 0x7fff_ffff;
    public ulong PreferredAddress { get; set; } = 0x100_0000;
    public uint InitSize { get; set; } = 0x10_0000;
    public uint PayloadOffset { get; set; } = PayloadAt;
    public uint? PayloadLength { get; set; }
    public uint? Paragraphs { get; set; }
    public uint Code32Start { get; set; } = 0x10_0000;
    public string VersionText { get; set; } = "";

    public byte[] Build()
    {
        // A setup_sects of 0 stands for 4.
        int start = ((SetupSectors == 0 ? 4 : SetupSectors) + 1) * 512;
        int size = (PayloadAt + payload.Length + 15) & ~15;
        byte[] file = new byte[start + size];
        payload.CopyTo(file, start + PayloadAt);
        file[start + 0x200] = 0xf4;

        Span<byte> header = file;
        header[0x1f1] = SetupSectors;
        U32(file, 0x1f4, Paragraphs ?? (uint)size / 16);
        header[0x1fe] = 0x55;
        header[0x1ff] = 0xaa;
        header[0x200] = 0xeb;
        header[0x201] = Jump;
        "HdrS"u8.CopyTo(header[0x202..]);
        BinaryPrimitives.WriteUInt16LittleEndian(header[0x206..], Version);
        header[0x211] = LoadFlags;
        U32(file, 0x214, Code32Start);
        if (VersionText.Length > 0)
        {
            Encoding.ASCII.GetBytes(VersionText + '\0').CopyTo(file, 0x290);
            file[0x20e] = 0x90;
        }

        U32(file, 0x22c, InitrdMax);
        U32(file, 0x230, Alignment);
        header[0x234] = Relocatable;
        BinaryPrimitives.WriteUInt16LittleEndian(header[0x236..], ExtendedFlags);
        U32(file, 0x238, CommandLineSize);
        U32(file, 0x248, PayloadOffset);
        U32(file, 0x24c, PayloadLength ?? (uint)payload.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(header[0x258..], PreferredAddress);
        U32(file, 0x260, InitSize);
        return file;
    }

    private static void U32(byte[] file, int at, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), value);
}
