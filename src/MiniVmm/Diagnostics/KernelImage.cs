using MiniVmm.Boot;
using MiniVmm.Inspection;
using MiniVmm.Memory;
using MiniVmm.Symbols;

namespace MiniVmm.Diagnostics;

/// <summary>
/// What a kernel's file tells about its addresses, read again at a death: its memory was given back after the start. Names come from the
/// file that the user names for that, the kernel's own, the System.map beside it, or a Linux kernel's memory.
/// </summary>
internal sealed class KernelImage : IDisposable
{
    private readonly NativeBuffer? _file;
    private readonly SymbolFile? _beside;
    private readonly ElfFile? _elf;

    private KernelImage(NativeBuffer? file, ReadOnlyMemory<byte> bytes, SymbolFile? beside, GuestMemory? memory)
    {
        _file = file;
        _beside = beside;
        Symbols = beside is not null ? KernelSymbols.Of(beside, memory!)
            : KernelSymbols.Find(bytes) ?? (memory is null ? null : KernelSymbols.Of(memory));
        try
        {
            _elf = ElfFile.HasMagic(bytes.Span) ? ElfFile.Parse("", bytes) : null;
        }
        catch (BadInputException)
        {
            _elf = null;
        }
    }

    /// <summary>Names of its addresses; null where nobody has any.</summary>
    public KernelSymbols? Symbols { get; }

    /// <summary>Of a file; what cannot be read now, has nothing to tell.</summary>
    /// <param name="kernel">The file.</param>
    /// <param name="symbols">The one that has its symbols; null where the user names none.</param>
    /// <param name="memory">What the guest has made of it.</param>
    public static KernelImage Open(string kernel, string? symbols, GuestMemory memory)
    {
        NativeBuffer? file = null;
        try
        {
            // A disk image in the kernel's place would be gigabytes of nothing that has symbols.
            if (InputFile.TryReadStart(kernel, most: 4, out _) is { } start && ElfFile.HasMagic(start))
                file = InputFile.Read(kernel, OptionName.Kernel);
        }
        catch (VmmException)
        {
            // It was there at the start; a death is explained without it.
        }

        return new(file, file?.Memory ?? default, SymbolFile.Find(symbols, file is null ? kernel : null), memory);
    }

    /// <summary>Of a file's bytes.</summary>
    public static KernelImage Of(ReadOnlyMemory<byte> file) => new(null, file, null, null);

    /// <summary>Whether an address is in what the file loads as code.</summary>
    public bool IsCode(ulong linear, ulong? physical) =>
        Segment(linear, physical) is { IsExecutable: true };

    /// <summary>Whether a guest-physical address is in memory that the file only reserves, which start-up code zeroes: .bss.</summary>
    public bool IsBss(ulong physical) => _elf is not null && _elf.ProgramHeaders.Any(header =>
        header.Type == ElfSegmentType.Load
        && physical - header.PhysicalAddress >= header.FileSize && physical - header.PhysicalAddress < header.MemorySize);

    /// <summary>
    /// A gate at a linear address that the page tables no longer map: where the kernel was loaded, or at that physical address.
    /// </summary>
    public InterruptGate? ReadGate(GuestView view, ulong linear)
    {
        ArgumentNullException.ThrowIfNull(view);
        ulong physical = Segment(linear, null) is { } header ? linear - header.VirtualAddress + header.PhysicalAddress : linear;
        return view.Memory.TryGetSpan(physical, InterruptGate.SizeOf(view), out Span<byte> bytes) ? InterruptGate.Parse(bytes) : null;
    }

    public void Dispose()
    {
        _file?.Dispose();
        _beside?.Dispose();
    }

    private ElfProgramHeader? Segment(ulong linear, ulong? physical)
    {
        if (_elf is null)
            return null;
        foreach (ElfProgramHeader header in _elf.ProgramHeaders)
        {
            if (header.Type == ElfSegmentType.Load && (linear - header.VirtualAddress < header.MemorySize
                || physical is { } at && at - header.PhysicalAddress < header.MemorySize))
                return header;
        }

        return null;
    }
}
