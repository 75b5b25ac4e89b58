using MiniVmm.Memory;

namespace MiniVmm.Symbols;

/// <summary>Names of a Linux guest's addresses by what its kernel carries in memory.</summary>
internal sealed class GuestKallsyms(GuestMemory memory) : KernelInMemory(memory)
{
    private Kallsyms? _table;

    /// <summary>The address for which what lies there was linked, or moved by KASLR; null outside of the kernel's image.</summary>
    /// <param name="linear">The address as the processor uses it.</param>
    /// <param name="physical">The guest-physical address behind it.</param>
    public ulong? LinkAddress(ulong linear, ulong? physical) =>
        InImage(linear, physical) is { } address && _table!.Contains(address) ? address : null;

    /// <inheritdoc cref="Kallsyms.Describe"/>
    /// <inheritdoc cref="LinkAddress"/>
    public string? Describe(ulong linear, ulong? physical) =>
        LinkAddress(linear, physical) is { } address ? _table!.Describe(address) : null;

    protected override bool Find(ReadOnlySpan<byte> piece, ulong address) => (_table = Kallsyms.Find(piece)) is not null;
}
