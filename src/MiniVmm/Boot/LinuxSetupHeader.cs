using System.Buffers.Binary;

namespace MiniVmm.Boot;

/// <summary>
/// The setup header of a Linux kernel, checked (Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header").
/// Either read from a bzImage or made up for a vmlinux, which has none.
/// </summary>
internal sealed class LinuxSetupHeader
{
    /// <summary>Offset of the header in a bzImage's first sector and in boot_params alike.</summary>
    public const int Offset = 0x1f1;

    /// <summary>End of the fields that protocol 2.12 has.</summary>
    private const int MinimumEnd = 0x268;

    private const int MagicOffset = 0x202;
    private const byte ShortJump = 0xeb;
    private const ushort OldestVersion = 0x020c;
    private const byte LoadedHigh = 1 << 0;
    private const ushort Kernel64 = 1 << 0;
    private const ushort CanBeLoadedAbove4G = 1 << 1;
    private const int SectorSize = 512;

    private readonly byte[] _bytes;

    private LinuxSetupHeader(byte[] bytes) => _bytes = bytes;

    /// <summary>The header's bytes, from <see cref="Offset"/> to its end.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    public ushort Version => U16(0x206);

    /// <summary>Where the protected-mode part starts in the file.</summary>
    public int ProtectedModeOffset => ((_bytes[0] == 0 ? 4 : _bytes[0]) + 1) * SectorSize;

    /// <summary>Length of the protected-mode part by the header: the file may have a signature after it.</summary>
    public ulong ProtectedModeSize => (ulong)U32(0x1f4) * 16;

    public bool IsRelocatable => _bytes[0x234 - Offset] != 0;

    public uint KernelAlignment => U32(0x230);

    public uint PayloadOffset => U32(0x248);

    public uint PayloadLength => U32(0x24c);

    public ulong PreferredAddress => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(0x258 - Offset));

    public uint InitSize => U32(0x260);

    /// <summary>Longest command line, without its NUL.</summary>
    public uint CommandLineSize => U32(0x238);

    /// <summary>First address too high for the initial RAM disk; the header's field is the last one allowed.</summary>
    public ulong InitrdLimit => (ulong)U32(0x22c) + 1;

    public bool InitrdMayLieHigh => (U16(0x236) & CanBeLoadedAbove4G) != 0;

    public static bool HasMagic(ReadOnlySpan<byte> file) =>
        file.Length >= MagicOffset + 4 && file[MagicOffset..].StartsWith("HdrS"u8);

    /// <exception cref="BadInputException">Cut off, too old, or not a 64-bit bzImage.</exception>
    public static LinuxSetupHeader Read(string name, ReadOnlySpan<byte> file)
    {
        if (!HasMagic(file) || file.Length < MinimumEnd)
            throw new BadInputException($"{name}: the Linux setup header is cut off; the file has {file.Length} bytes");
        ushort version = BinaryPrimitives.ReadUInt16LittleEndian(file[0x206..]);
        if (version < OldestVersion)
        {
            throw new BadInputException(
                $"{name}: Linux boot protocol {Dotted(version)}; the 64-bit entry needs 2.12 or later " +
                "(Linux 3.8)");
        }

        // The jump over the header gives away where it ends: at 0x281 at most, before what follows it in boot_params.
        int end = MagicOffset + (sbyte)file[0x201];
        if (file[0x200] != ShortJump || end < MinimumEnd || end > file.Length)
        {
            throw new BadInputException(
                $"{name}: the jump at 0x200 (0x{file[0x200]:x2} 0x{file[0x201]:x2}) gives no sane end of the " +
                "Linux setup header");
        }

        LinuxSetupHeader header = new(file[Offset..end].ToArray());
        if ((header._bytes[0x211 - Offset] & LoadedHigh) == 0)
        {
            throw new BadInputException(
                $"{name}: a zImage (loadflags without LOADED_HIGH); only bzImage kernels are loaded");
        }

        if ((header.U16(0x236) & Kernel64) == 0)
        {
            throw new BadInputException(
                $"{name}: a 32-bit Linux kernel (xloadflags 0x{header.U16(0x236):x} without XLF_KERNEL_64); " +
                "only the 64-bit entry is supported");
        }

        return header;
    }

    /// <summary>The header that an uncompressed x86-64 kernel would have had in its bzImage.</summary>
    public static LinuxSetupHeader ForVmlinux()
    {
        LinuxSetupHeader header = new(new byte[MinimumEnd - Offset]);
        header.Put(0x1fe, 0xaa55, 2);
        "HdrS"u8.CopyTo(header._bytes.AsSpan(MagicOffset - Offset));
        header.Put(0x206, OldestVersion, 2);
        header.Put(0x211, LoadedHigh, 1);
        header.Put(0x22c, 0x7fff_ffff, 4);
        header.Put(0x230, 0x20_0000, 4);
        header.Put(0x236, Kernel64 | CanBeLoadedAbove4G, 2);
        // COMMAND_LINE_SIZE of x86 less the NUL.
        header.Put(0x238, 2047, 4);
        return header;
    }

    /// <summary>A protocol version as people write it: 0x20f is 2.15.</summary>
    public static string Dotted(ushort version) => $"{version >> 8}.{version & 0xff:00}";

    private ushort U16(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(offset - Offset));

    private uint U32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(offset - Offset));

    private void Put(int offset, uint value, int size)
    {
        for (int i = 0; i < size; i++)
            _bytes[offset - Offset + i] = (byte)(value >> (8 * i));
    }
}
