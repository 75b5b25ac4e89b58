using MiniVmm.Memory;

namespace MiniVmm.Symbols;

/// <summary>
/// Names and source lines of a kernel's addresses, as far as its file has them, or the one that the user names; else, of a Linux guest, those
/// in its memory.
/// </summary>
internal sealed class KernelSymbols
{
    private readonly ElfSymbols? _names;
    private readonly SystemMap? _map;
    private readonly LinuxPlace? _place;
    private readonly GuestKallsyms? _guest;
    private readonly DwarfLines? _lines;
    private readonly DwarfFrames? _frames;

    private KernelSymbols(ElfSymbols names, ElfSections sections)
    {
        _names = names;
        _lines = DwarfLines.Find(sections);
        _frames = DwarfFrames.Find(sections);
        IsWhole = true;
    }

    private KernelSymbols(SymbolFile file, GuestMemory memory)
    {
        _names = file.Names;
        _map = file.Map;
        if (file.Sections is { } sections)
        {
            _lines = DwarfLines.Find(sections);
            _frames = DwarfFrames.Find(sections);
        }

        if ((_names is not null ? _names.AddressOf("linux_banner"u8) : _map!.Banner) is { } banner && LinuxPlace.Moves(banner))
            _place = new(memory, banner, file.Banner(banner), _names is not null ? _names.AddressOf("hex_asc"u8) : _map!.Digits);
        _guest = new(memory);
    }

    private KernelSymbols(GuestKallsyms guest) => _guest = guest;

    /// <summary>Whether it is from a file that has all of the guest's code; a Linux guest's modules, for one, are nowhere.</summary>
    public bool IsWhole { get; }

    /// <summary>The symbols that a Linux kernel has in its memory, if there is one.</summary>
    public static KernelSymbols Of(GuestMemory memory) => new(new GuestKallsyms(memory));

    /// <summary>The symbols of a file beside the kernel's, which must stay open; where it is another kernel's, those in the guest's memory.</summary>
    public static KernelSymbols Of(SymbolFile file, GuestMemory memory) => new(file, memory);

    /// <summary>The symbols of a kernel's file; null where it has none. The file must stay readable.</summary>
    public static KernelSymbols? Find(ReadOnlyMemory<byte> file)
    {
        ElfSections sections = ElfSections.Of(file);
        return ElfSymbols.Find(file, sections) is { } names ? new(names, sections) : null;
    }

    /// <inheritdoc cref="ElfSymbols.LinkAddress"/>
    public ulong? LinkAddress(ulong linear, ulong? physical) =>
        InFile(linear, physical) ?? _guest?.LinkAddress(linear, physical);

    /// <inheritdoc cref="ElfSymbols.Describe"/>
    public string? Name(ulong linear, ulong? physical) =>
        InFile(linear, physical) is { } address
            ? _names is not null ? _names.Nearest(address) : _map!.Describe(address)
            : _guest?.Describe(linear, physical);

    /// <summary>The source line, as in "kernel/main.c:41"; null where the file does not tell.</summary>
    /// <param name="linear">The address as the processor uses it.</param>
    /// <param name="physical">The guest-physical address behind it; null where there is none.</param>
    public string? Line(ulong linear, ulong? physical) =>
        InFile(linear, physical) is { } address ? _lines?.Describe(address) : null;

    /// <summary>How to get to the caller of an instruction; null where the file does not tell.</summary>
    /// <inheritdoc cref="Line"/>
    public DwarfFrameRow? Frame(ulong linear, ulong? physical) =>
        InFile(linear, physical) is { } address ? _frames?.At(address) : null;

    /// <summary>As in "main+0x12 (kernel/main.c:41)"; null for an address outside of the kernel.</summary>
    /// <inheritdoc cref="Line"/>
    public string? Describe(ulong linear, ulong? physical)
    {
        string? line = Line(linear, physical);
        return Name(linear, physical) is not { } name ? line : line is null ? name : $"{name} ({line})";
    }

    /// <summary>The address as the file has it; null outside of what it has.</summary>
    private ulong? InFile(ulong linear, ulong? physical)
    {
        if (_place is not null)
        {
            if (_place.LinkAddress(linear, physical) is not { } linked)
                return null;
            (linear, physical) = (linked, null);
        }

        return _names is not null ? _names.LinkAddress(linear, physical) : _map?.Contains(linear) == true ? linear : null;
    }
}
