using MiniVmm.Memory;

namespace MiniVmm.Symbols;

/// <summary>
/// Names of a Linux guest's addresses by what its kernel carries in memory, wherever it has put itself (KASLR). It is looked for when an
/// address of a kernel's is first asked for, and again later if it was not there yet.
/// </summary>
internal sealed class GuestKallsyms(GuestMemory memory)
{
    /// <summary>How far from any code of the kernel's its tables may be, in bytes: an image has some 50 MiB.</summary>
    private const ulong Reach = 64 << 20;

    private const ulong PageSize = 4096;
    private const int MostLooks = 12;

    private Kallsyms? _table;
    private ulong _linked; // an address of the image, less the guest-physical one behind it
    private int _asked;
    private int _looks;

    /// <summary>The address for which what lies there was linked, or moved by KASLR; null outside of the kernel's image.</summary>
    /// <param name="linear">The address as the processor uses it.</param>
    /// <param name="physical">The guest-physical address behind it.</param>
    public ulong? LinkAddress(ulong linear, ulong? physical)
    {
        if (linear is >= Kallsyms.FirstAddress and < Kallsyms.EndAddress)
        {
            if (_table is null && physical is { } at)
                Look(linear, at);
        }
        else
        {
            if (linear != physical)
                return null;
            linear += _linked; // on its way to its own page tables
        }

        return _table?.Contains(linear) == true ? linear : null;
    }

    /// <inheritdoc cref="Kallsyms.Describe"/>
    /// <inheritdoc cref="LinkAddress"/>
    public string? Describe(ulong linear, ulong? physical) =>
        LinkAddress(linear, physical) is { } address ? _table!.Describe(address) : null;

    /// <summary>At the 1st, 2nd, 4th, 8th, … address: a kernel that has none must not cost a search for each.</summary>
    private void Look(ulong linear, ulong physical)
    {
        if (++_asked < 1 << _looks || _looks == MostLooks)
            return;
        _looks++;
        foreach (RamSlot slot in memory.Slots)
        {
            if (!slot.Range.Contains(physical, 1))
                continue;
            ulong before = Math.Min(physical - slot.Range.Start, Reach) & ~(PageSize - 1);
            ulong start = (physical & ~(PageSize - 1)) - before;
            if (start < slot.Range.Start)
                start = slot.Range.Start;
            ulong length = Math.Min(slot.Range.Start + slot.Range.Length - start, before + Reach);
            if (memory.TryGetSpan(start, (int)length, out Span<byte> span))
                _table = Kallsyms.Find(span);
            _linked = linear - physical;
        }
    }
}
