using MiniVmm.Memory;

namespace MiniVmm.Symbols;

/// <summary>
/// A 64-bit Linux kernel in guest memory, wherever it has put itself (KASLR), known by something that lies in it. That is looked for when an
/// address of a kernel's is first asked for, and again later if it was not there yet.
/// </summary>
internal abstract class KernelInMemory(GuestMemory memory)
{
    /// <summary>How far from any code of the kernel's what is looked for may be, in bytes: an image has some 50 MiB.</summary>
    private const ulong Reach = 64 << 20;

    private const ulong PageSize = 4096;
    private const int MostLooks = 12;

    private bool _found;
    private ulong _linked; // an address of the image, less the guest-physical one behind it
    private int _asked;
    private int _looks;

    /// <summary>Looks into a piece of guest memory that begins on a page.</summary>
    /// <param name="piece">May have the kernel in it.</param>
    /// <param name="address">Where the piece lies as the kernel has its image.</param>
    protected abstract bool Find(ReadOnlySpan<byte> piece, ulong address);

    /// <summary>The address as the kernel has its image; null outside of where images may be, and as long as it is not found.</summary>
    /// <param name="linear">The address as the processor uses it.</param>
    /// <param name="physical">The guest-physical address behind it.</param>
    protected ulong? InImage(ulong linear, ulong? physical)
    {
        if (linear is >= Kallsyms.FirstAddress and < Kallsyms.EndAddress)
        {
            if (!_found && physical is { } at)
                Look(linear, at);
        }
        else
        {
            if (linear != physical)
                return null;
            linear += _linked; // on its way to its own page tables
        }

        return _found ? linear : null;
    }

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
            _linked = linear - physical;
            if (memory.TryGetSpan(start, (int)length, out Span<byte> span))
                _found = Find(span, start + _linked);
        }
    }
}
