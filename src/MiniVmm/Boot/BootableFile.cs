using System.Buffers.Binary;
using MiniVmm.Boot.Media;
using MiniVmm.Boot.Payload;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// Whether a file among others is meant to be booted, by what is in it: what has the mark of a boot protocol, an executable
/// that no operating system starts, an image with a boot menu or a boot sector. A broken one still is: loading it says so.
/// </summary>
internal static class BootableFile
{
    private const int HeadLength = BootMedia.HeadLength;
    private const ushort Executable = 2;
    private const ushort SharedObject = 3;
    private const ushort I386 = 3;
    private const ushort X8664 = 62;

    /// <summary>Looks at a file; one that cannot be read is none.</summary>
    public static bool Recognise(string path)
    {
        byte[]? head = InputFile.TryReadStart(path, HeadLength, out long length);
        if (head is null || head.Length == 0)
            return false;
        if (ElfFile.HasMagic(head))
            return IsElfKernel(head);
        if (PayloadCodecs.Recognise(head) != PayloadCodec.Unknown)
            return IsPackedKernel(path);
        if (Recognise(head, length))
            return true;
        using BootableImage? image = BootableImage.Open(path);
        return image is not null;
    }

    /// <summary>The same of the beginning of a file that is no ELF file and not compressed.</summary>
    internal static bool Recognise(ReadOnlySpan<byte> head, long length) =>
        LinuxSetupHeader.HasMagic(head)
        || (FileKind.Recognise(head) is not { HoldsFiles: true }
            && (MultibootHeader.Find(head, out _) is not null || Multiboot2Header.Find(head, out _) is not null))
        || BootMedia.Recognise(head, length) != BootMedium.None;

    /// <summary>An x86 executable that is not a program for an operating system (ELF gABI, chapters 4 and 5).</summary>
    internal static bool IsElfKernel(ReadOnlySpan<byte> head)
    {
        if (head.Length < 64 || head[5] != 1)
            return false;
        ushort type = BinaryPrimitives.ReadUInt16LittleEndian(head[16..]);
        ushort machine = BinaryPrimitives.ReadUInt16LittleEndian(head[18..]);
        if (type is not (Executable or SharedObject) || machine is not (I386 or X8664))
            return false;
        const int linux = 3; // EI_OSABI of the C library's static programs
        return MultibootHeader.Find(head, out _) is not null || Multiboot2Header.Find(head, out _) is not null
            || (head[7] != linux && !NeedsInterpreter(head));
    }

    private static bool NeedsInterpreter(ReadOnlySpan<byte> head)
    {
        bool is64 = head[4] == 2;
        ulong at = is64 ? BinaryPrimitives.ReadUInt64LittleEndian(head[32..]) : BinaryPrimitives.ReadUInt32LittleEndian(head[28..]);
        int size = BinaryPrimitives.ReadUInt16LittleEndian(head[(is64 ? 54 : 42)..]);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(head[(is64 ? 56 : 44)..]);
        for (int i = 0; i < count && at <= (ulong)head.Length - sizeof(uint); i++, at += (ulong)size)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(head[(int)at..]) == (uint)ElfSegmentType.Interpreter)
                return true;
        }

        return false;
    }

    /// <summary>A compressed file may hold anything: its beginning, unpacked, tells.</summary>
    private static bool IsPackedKernel(string path)
    {
        try
        {
            using NativeBuffer file = InputFile.Read(path, OptionName.Kernel);
            ReadOnlySpan<byte> packed = file.Memory.Span;
            using NativeBuffer unpacked = StreamDecompressors.Unpack(PayloadCodecs.Recognise(packed), packed, HeadLength);
            ReadOnlySpan<byte> head = unpacked.Memory.Span;
            return ElfFile.HasMagic(head) ? IsElfKernel(head) : Recognise(head, unpacked.Length);
        }
        catch (PayloadException)
        {
            return false;
        }
        catch (VmmException)
        {
            return false;
        }
    }
}
