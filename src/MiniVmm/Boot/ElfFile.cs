using System.Buffers.Binary;

namespace MiniVmm.Boot;

/// <summary>What a program header describes; a loader ignores other types (ELF gABI, ch. 5).</summary>
internal enum ElfSegmentType : uint
{
    Load = 1,
    Dynamic = 2,
    Interpreter = 3,
    Note = 4,
}

/// <summary>One program header, 32-bit fields widened.</summary>
internal readonly record struct ElfProgramHeader(
    int Index,
    ElfSegmentType Type,
    uint Flags,
    ulong Offset,
    ulong VirtualAddress,
    ulong PhysicalAddress,
    ulong FileSize,
    ulong MemorySize,
    ulong Alignment)
{
    private const uint Executable = 1;
    private const uint Writable = 2;

    public bool IsExecutable => (Flags & Executable) != 0;

    public bool IsWritable => (Flags & Writable) != 0;
}

/// <summary>
/// The headers of an x86 ELF executable of either class, checked: the bytes of every segment that is loaded lie inside the file
/// (ELF gABI, ch. 4 and 5). Of the others that is for those to ask who read them: a loader that does not is none the worse.
/// </summary>
internal sealed class ElfFile
{
    /// <summary>Most program headers taken; kernels have about five, and each costs a look at all others.</summary>
    public const int MaxProgramHeaders = 128;

    private const int HeaderSize32 = 52;
    private const int HeaderSize64 = 64;
    private const int ProgramHeaderSize32 = 32;
    private const int ProgramHeaderSize64 = 56;

    private const byte Class32 = 1;
    private const byte Class64 = 2;
    private const byte LittleEndianData = 1;
    private const byte BigEndianData = 2;
    private const ushort RelocatableObject = 1;
    private const ushort Executable = 2;
    private const ushort SharedObject = 3;
    private const ushort CoreDump = 4;
    private const ushort MachineI386 = 3;
    private const ushort MachineX8664 = 62;

    private ElfFile(ReadOnlyMemory<byte> file, bool is64, bool positionIndependent, ulong entry, List<ElfProgramHeader> headers)
    {
        File = file;
        Is64 = is64;
        IsPositionIndependent = positionIndependent;
        Entry = entry;
        ProgramHeaders = headers;
    }

    /// <summary>The whole file.</summary>
    public ReadOnlyMemory<byte> File { get; }

    public bool Is64 { get; }

    /// <summary>Linked for no address in particular (ET_DYN).</summary>
    public bool IsPositionIndependent { get; }

    /// <summary>Marked as a program for GNU/Linux (EI_OSABI), which the C library's static programs are.</summary>
    public bool IsForLinux => File.Span[7] == 3;

    /// <summary>e_entry as in the file: virtual or physical, depending on the linker script.</summary>
    public ulong Entry { get; }

    /// <summary>All program headers that have a type this loader knows.</summary>
    public IReadOnlyList<ElfProgramHeader> ProgramHeaders { get; }

    /// <summary>Whether the file starts as an ELF file does.</summary>
    public static bool HasMagic(ReadOnlySpan<byte> file) => file.StartsWith("\u007fELF"u8);

    /// <exception cref="BadInputException">An ELF file that is broken, or not an x86 executable.</exception>
    public static ElfFile Parse(string name, ReadOnlyMemory<byte> file)
    {
        ReadOnlySpan<byte> bytes = file.Span;
        if (!HasMagic(bytes) || bytes.Length < HeaderSize32)
        {
            throw new BadInputException(
                $"{name}: an ELF header takes {HeaderSize32} bytes; the file has {bytes.Length}");
        }

        if (bytes[4] is not (Class32 or Class64))
        {
            throw new BadInputException(
                $"{name}: ELF e_ident[EI_CLASS] is {bytes[4]}, neither 32-bit (1) nor 64-bit (2)");
        }

        if (bytes[5] is not (LittleEndianData or BigEndianData))
        {
            throw new BadInputException(
                $"{name}: ELF e_ident[EI_DATA] is {bytes[5]}, neither little-endian (1) nor big-endian (2)");
        }

        RequireX86Executable(name, bytes);
        bool is64 = bytes[4] == Class64;
        if (is64 && bytes.Length < HeaderSize64)
        {
            throw new BadInputException(
                $"{name}: a 64-bit ELF header takes {HeaderSize64} bytes; the file has {bytes.Length}");
        }

        ushort type = U16(bytes, 16);
        ulong entry = is64 ? U64(bytes, 24) : U32(bytes, 24);
        ulong tableOffset = is64 ? U64(bytes, 32) : U32(bytes, 28);
        ushort entrySize = U16(bytes, is64 ? 54 : 42);
        ushort count = U16(bytes, is64 ? 56 : 44);
        int wantedSize = is64 ? ProgramHeaderSize64 : ProgramHeaderSize32;
        if (count == 0)
            throw new BadInputException($"{name}: ELF e_phnum is 0: nothing to load");
        if (count > MaxProgramHeaders)
            throw new BadInputException($"{name}: ELF e_phnum is {count}; at most {MaxProgramHeaders} are taken");
        if (entrySize != wantedSize)
            throw new BadInputException($"{name}: ELF e_phentsize is {entrySize}, not {wantedSize}");
        if (!InFile(bytes, tableOffset, (ulong)(count * wantedSize)))
        {
            throw new BadInputException(
                $"{name}: ELF e_phoff 0x{tableOffset:x}: {count} program headers there run past the end of " +
                "the file");
        }

        List<ElfProgramHeader> headers = [];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> raw = bytes.Slice((int)tableOffset + i * wantedSize, wantedSize);
            ElfProgramHeader header = is64 ? Read64(i, raw) : Read32(i, raw);
            if (header.Type is not (
                ElfSegmentType.Load or ElfSegmentType.Dynamic or ElfSegmentType.Interpreter or ElfSegmentType.Note))
                continue;
            if (header.Type == ElfSegmentType.Load && !HasBytes(bytes, header))
            {
                throw new BadInputException(
                    $"{name}: ELF program header {i}: p_offset 0x{header.Offset:x} with p_filesz " +
                    $"0x{header.FileSize:x} runs past the end of the file (0x{bytes.Length:x} bytes)");
            }

            if (header.Type == ElfSegmentType.Load && header.FileSize > header.MemorySize)
            {
                throw new BadInputException(
                    $"{name}: ELF program header {i}: p_filesz 0x{header.FileSize:x} is more than " +
                    $"p_memsz 0x{header.MemorySize:x}");
            }

            headers.Add(header);
        }

        return new(file, is64, type == SharedObject, entry, headers);
    }

    private static void RequireX86Executable(string name, ReadOnlySpan<byte> bytes)
    {
        bool bigEndian = bytes[5] == BigEndianData;
        ushort machine = bigEndian ? BinaryPrimitives.ReadUInt16BigEndian(bytes[18..]) : U16(bytes, 18);
        if (bigEndian || machine is not (MachineI386 or MachineX8664))
        {
            throw new BadInputException(
                $"{name}: an ELF file for {MachineName(machine)} (e_machine {machine}); MiniVmm's guests are x86 (i386 " +
                "or x86-64)");
        }

        switch (U16(bytes, 16))
        {
            case Executable or SharedObject:
                return;
            case RelocatableObject:
                throw new BadInputException(
                    $"{name}: an ELF relocatable object (e_type 1), such as a .o or a kernel module, not a kernel; link it");
            case CoreDump:
                throw new BadInputException($"{name}: an ELF core dump (e_type 4), not a kernel");
            case ushort other:
                throw new BadInputException($"{name}: ELF e_type is {other}; a kernel is an executable (2)");
        }
    }

    private static string MachineName(ushort machine) => machine switch
    {
        2 or 18 or 43 => "SPARC",
        4 => "Motorola 68000",
        8 => "MIPS",
        20 => "PowerPC",
        21 => "64-bit PowerPC",
        22 => "IBM S/390",
        40 => "32-bit ARM",
        50 => "Itanium",
        183 => "AArch64",
        243 => "RISC-V",
        247 => "BPF",
        258 => "LoongArch",
        _ => "another machine",
    };

    /// <summary>The bytes in the file of a loaded segment from <see cref="ProgramHeaders"/>; of any other, none where it lies outside of the file.</summary>
    public ReadOnlyMemory<byte> Contents(in ElfProgramHeader header) =>
        header.FileSize != 0 && HasBytes(File.Span, header) ? File.Slice((int)header.Offset, (int)header.FileSize) : default;

    /// <summary>Whether a header's bytes are in the file. Where it has none, its p_offset means nothing.</summary>
    public bool HasBytes(in ElfProgramHeader header) => HasBytes(File.Span, header);

    private static bool HasBytes(ReadOnlySpan<byte> file, in ElfProgramHeader header) =>
        header.FileSize == 0 || InFile(file, header.Offset, header.FileSize);

    private static ElfProgramHeader Read32(int index, ReadOnlySpan<byte> raw) => new(
        index, (ElfSegmentType)U32(raw, 0), Flags: U32(raw, 24), Offset: U32(raw, 4), VirtualAddress: U32(raw, 8),
        PhysicalAddress: U32(raw, 12), FileSize: U32(raw, 16), MemorySize: U32(raw, 20), Alignment: U32(raw, 28));

    private static ElfProgramHeader Read64(int index, ReadOnlySpan<byte> raw) => new(
        index, (ElfSegmentType)U32(raw, 0), Flags: U32(raw, 4), Offset: U64(raw, 8), VirtualAddress: U64(raw, 16),
        PhysicalAddress: U64(raw, 24), FileSize: U64(raw, 32), MemorySize: U64(raw, 40), Alignment: U64(raw, 48));

    internal static bool InFile(ReadOnlySpan<byte> file, ulong offset, ulong length) =>
        length <= (ulong)file.Length && offset <= (ulong)file.Length - length;

    internal static ushort U16(ReadOnlySpan<byte> bytes, int offset) =>
        BinaryPrimitives.ReadUInt16LittleEndian(bytes[offset..]);

    internal static uint U32(ReadOnlySpan<byte> bytes, int offset) =>
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);

    internal static ulong U64(ReadOnlySpan<byte> bytes, int offset) =>
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[offset..]);
}
