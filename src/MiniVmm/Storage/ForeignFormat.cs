using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Storage;

/// <summary>
/// Image formats of other programs, known by their marks so that they are never overwritten as raw disks. LUKS is not
/// among them: a guest may well encrypt its raw disk.
/// </summary>
/// <param name="Name">As <c>qemu-img convert -f</c> has it.</param>
/// <param name="Owner">Whose it is, for people.</param>
/// <param name="Unpacker">The command that unpacks what is no image but a compressed file; null for an image.</param>
internal sealed record ForeignFormat(string Name, string Owner, string? Unpacker = null)
{
    /// <summary>Bytes at the start of a file, and at its end, that the marks lie in.</summary>
    public const int MarkBytes = 512;

    private const uint VdiSignature = 0xbeda107f;
    private const int VdiSignatureOffset = 64;

    private static readonly ForeignFormat Vpc = new("vpc", "a Virtual PC or Hyper-V disk (VHD)");

    /// <summary>The format whose mark is in the first <see cref="MarkBytes"/> of a file; null for none.</summary>
    public static ForeignFormat? AtStart(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith("KDMV"u8) || start.StartsWith("COWD"u8) || IsVmdkDescriptor(start))
            return new("vmdk", "a VMware disk");
        if (start.StartsWith("conectix"u8))
            return Vpc;
        if (start.StartsWith("vhdxfile"u8))
            return new("vhdx", "a Hyper-V disk");
        if (start.StartsWith("QED\0"u8))
            return new("qed", "a QED disk of an old QEMU");
        if (start.StartsWith("WithoutFreeSpace"u8) || start.StartsWith("WithouFreSpacExt"u8))
            return new("parallels", "a Parallels disk");
        if (start.StartsWith("Bochs Virtual HD Image\0"u8))
            return new("bochs", "a Bochs disk");
        if (start.StartsWith("#!/bin/sh\n#V2.0 Format\nmodprobe cloop"u8))
            return new("cloop", "a compressed loop image");
        return start.Length >= VdiSignatureOffset + sizeof(uint)
            && BinaryPrimitives.ReadUInt32LittleEndian(start[VdiSignatureOffset..]) == VdiSignature
                ? new("vdi", "a VirtualBox disk")
                : null;
    }

    /// <summary>
    /// What a file that starts like this is compressed with, as disk images are for the way; null for none. A guest may put
    /// such a stream on its disk, so it is not among <see cref="AtStart"/>'s. Boot's PayloadCodecs knows the same marks, and more,
    /// in a room above.
    /// </summary>
    public static ForeignFormat? Compressed(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b, 8]))
            return new("gzip", "compressed with gzip", "gzip -dk");
        if (start.StartsWith((ReadOnlySpan<byte>)[0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0]))
            return new("xz", "compressed with xz", "xz -dk");
        if (start.StartsWith((ReadOnlySpan<byte>)[0x28, 0xb5, 0x2f, 0xfd]))
            return new("zstd", "compressed with zstd", "zstd -d");
        return start.Length > 4 && start.StartsWith("BZh"u8) && start[4..].StartsWith("1AY&SY"u8)
            ? new("bzip2", "compressed with bzip2", "bzip2 -dk")
            : null;
    }

    /// <summary>The format whose mark is in the last <see cref="MarkBytes"/> of a file; null for none.</summary>
    public static ForeignFormat? AtEnd(ReadOnlySpan<byte> end)
    {
        // Footers of VHD were 511 bytes long at first.
        if (end.StartsWith("conectix"u8) || (!end.IsEmpty && end[1..].StartsWith("conectix"u8)))
            return Vpc;
        return end.StartsWith("koly"u8) ? new("dmg", "a macOS disk image") : null;
    }

    /// <summary>What to do with one: "convert it with" and the command that makes a qcow2 image of it.</summary>
    public string Remedy(string path) => Unpacker is { } unpacker
        ? $"unpack it with `{unpacker} {Quoted(path)}`"
        : $"convert it with `qemu-img convert -f {Name} -O qcow2 {Quoted(path)} {Quoted(Path.ChangeExtension(path, ".qcow2"))}`";

    private static bool IsVmdkDescriptor(ReadOnlySpan<byte> start)
    {
        ReadOnlySpan<byte> mark = "# Disk DescriptorFile"u8;
        return start.Length >= mark.Length && Ascii.EqualsIgnoreCase(start[..mark.Length], mark);
    }

    /// <summary>For a shell to read as one word.</summary>
    private static string Quoted(string path) =>
        path.All(letter => char.IsAsciiLetterOrDigit(letter) || "/._-+@%:,=".Contains(letter, StringComparison.Ordinal))
            ? path
            : $"'{path.Replace("'", @"'\''", StringComparison.Ordinal)}'";
}
