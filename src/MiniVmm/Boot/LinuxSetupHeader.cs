using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Boot;

/// <summary>
/// The setup header of a Linux kernel, checked (Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header").
/// Either read from a bzImage or made up for a vmlinux, which has none.
/// </summary>
internal sealed class LinuxSetupHeader
{
    /// <summary>Offset of the header in a bzImage's first sector and in boot_params alike.</summary>
    public const int Offset = 0x1f1;

    private const int MagicOffset = 0x202;
    private const byte ShortJump = 0xeb;

    /// <summary>The oldest protocol with a pointer to the command line; Linux 2.4.</summary>
    private const ushort OldestVersion = 0x0202;

    private const byte LoadedHigh = 1 << 0;

    /// <summary>The oldest protocol with a 64-bit entry.</summary>
    private const ushort ForVmlinuxVersion = 0x020c;

    private const ushort Kernel64 = 1 << 0;
    private const ushort CanBeLoadedAbove4G = 1 << 1;
    private const int SectorSize = 512;

    /// <summary>Longest command line before protocol 2.06 gave it a field.</summary>
    private const uint OldCommandLineSize = 255;

    /// <summary>Last address for the initial RAM disk before protocol 2.03 gave it a field.</summary>
    private const uint OldInitrdMax = 0x37ff_ffff;

    private const int LongestVersionText = 80;

    private readonly byte[] _bytes;

    private LinuxSetupHeader(byte[] bytes) => _bytes = bytes;

    /// <summary>The header's bytes, from <see cref="Offset"/> to its end.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    public ushort Version => U16(0x206);

    /// <summary>The kernel's version, such as "6.1.0-37-amd64", without who built it; empty when it has none.</summary>
    public string VersionText { get; private init; } = "";

    /// <summary>Linux' own version text starts with its number; that of other programs with their name.</summary>
    public bool IsLinux => VersionText is [>= '0' and <= '9', ..];

    /// <summary>Whether it can be entered in long mode, at 0x200 in the protected-mode part.</summary>
    public bool Has64BitEntry => Version >= 0x20c && (U16(0x236) & Kernel64) != 0;

    /// <summary>The mode that the kernel is entered in.</summary>
    public EntryMode Mode => Has64BitEntry ? EntryMode.Long64 : EntryMode.Protected32;

    /// <summary>Where the protected-mode part starts in the file.</summary>
    public int ProtectedModeOffset => ((_bytes[0] == 0 ? 4 : _bytes[0]) + 1) * SectorSize;

    /// <summary>
    /// Length of the protected-mode part by the header: the file may have a signature after it. Null where the field
    /// is too narrow for a bzImage.
    /// </summary>
    public ulong? ProtectedModeSize => Version >= 0x204 ? (ulong)U32(0x1f4) * 16 : null;

    /// <summary>Physical address of the 32-bit entry, unless the kernel is relocated.</summary>
    public uint Code32Start => U32(0x214);

    public bool IsRelocatable => Version >= 0x205 && _bytes[0x234 - Offset] != 0;

    public uint KernelAlignment => Version >= 0x205 ? U32(0x230) : 0;

    public uint PayloadOffset => Version >= 0x208 ? U32(0x248) : 0;

    public uint PayloadLength => Version >= 0x208 ? U32(0x24c) : 0;

    /// <summary>Whether the header says where the kernel wants to run, and how much memory it takes there.</summary>
    public bool HasPreferredAddress => Version >= 0x20a;

    public ulong PreferredAddress => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(0x258 - Offset));

    public uint InitSize => U32(0x260);

    /// <summary>Longest command line, without its NUL.</summary>
    public uint CommandLineSize => Version >= 0x206 ? U32(0x238) : OldCommandLineSize;

    /// <summary>First address too high for the initial RAM disk; the header's field is the last one allowed.</summary>
    public ulong InitrdLimit => (ulong)(Version >= 0x203 ? U32(0x22c) : OldInitrdMax) + 1;

    public bool InitrdMayLieHigh => Version >= 0x20c && (U16(0x236) & CanBeLoadedAbove4G) != 0;

    public static bool HasMagic(ReadOnlySpan<byte> file) =>
        file.Length >= MagicOffset + 4 && file[MagicOffset..].StartsWith("HdrS"u8);

    /// <exception cref="BadInputException">Cut off, too old, or not a bzImage.</exception>
    public static LinuxSetupHeader Read(string name, ReadOnlySpan<byte> file)
    {
        if (!HasMagic(file) || file.Length < EndOfFields(OldestVersion))
            throw new BadInputException($"{name}: the Linux setup header is cut off; the file has {file.Length} bytes");
        ushort version = BinaryPrimitives.ReadUInt16LittleEndian(file[0x206..]);
        if (version < OldestVersion)
        {
            throw BadInputException.OfNoKernel(
                $"{name}: a kernel with Linux boot protocol {Dotted(version)}; the oldest that MiniVmm boots is " +
                $"{Dotted(OldestVersion)}");
        }

        // The jump over the header shows where it ends: at 0x281 at most, before what follows it in boot_params.
        int end = MagicOffset + (sbyte)file[0x201];
        if (file[0x200] != ShortJump || end < EndOfFields(version) || end > file.Length)
        {
            throw BadInputException.OfNoKernel(
                $"{name}: the jump at 0x200 (0x{file[0x200]:x2} 0x{file[0x201]:x2}) does not give a valid end of the " +
                "Linux setup header");
        }

        LinuxSetupHeader header = new(file[Offset..end].ToArray()) { VersionText = ReadVersionText(file) };
        if ((header._bytes[0x211 - Offset] & LoadedHigh) == 0)
        {
            throw BadInputException.OfNoKernel(
                $"{name}: a zImage (loadflags without LOADED_HIGH), which starts in real mode with a BIOS; only " +
                "bzImage kernels are loaded");
        }

        return header;
    }

    /// <summary>The header that an uncompressed x86-64 kernel would have had in its bzImage.</summary>
    public static LinuxSetupHeader ForVmlinux()
    {
        LinuxSetupHeader header = new(new byte[EndOfFields(ForVmlinuxVersion) - Offset]);
        header.Put(0x1fe, 0xaa55, 2);
        "HdrS"u8.CopyTo(header._bytes.AsSpan(MagicOffset - Offset));
        header.Put(0x206, ForVmlinuxVersion, 2);
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

    /// <summary>First byte after the fields that a protocol version has.</summary>
    private static int EndOfFields(ushort version) => version switch
    {
        < 0x203 => 0x22c,
        < 0x205 => 0x230,
        < 0x206 => 0x235,
        < 0x207 => 0x23c,
        < 0x208 => 0x248,
        < 0x209 => 0x250,
        < 0x20a => 0x258,
        < 0x20b => 0x264,
        _ => 0x268,
    };

    private static string ReadVersionText(ReadOnlySpan<byte> file)
    {
        // kernel_version is a file offset less 0x200, or 0.
        int offset = BinaryPrimitives.ReadUInt16LittleEndian(file[0x20e..]);
        if (offset == 0 || offset + SectorSize >= file.Length)
            return "";
        ReadOnlySpan<byte> text = file[(offset + SectorSize)..];
        text = text[..Math.Min(text.Length, LongestVersionText)];
        // It goes to a terminal: printable ASCII only.
        int length = text.IndexOfAnyExceptInRange((byte)' ', (byte)'~');
        string version = Encoding.ASCII.GetString(length < 0 ? text : text[..length]);
        return version.Split('(')[0].TrimEnd();
    }

    private ushort U16(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(offset - Offset));

    private uint U32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(offset - Offset));

    private void Put(int offset, uint value, int size)
    {
        for (int i = 0; i < size; i++)
            _bytes[offset - Offset + i] = (byte)(value >> (8 * i));
    }
}
