using System.Runtime.CompilerServices;
using MiniVmm.Memory;

namespace MiniVmm.Inspection;

/// <summary>How a walk ended.</summary>
internal enum PageWalkEnd
{
    /// <summary>At a page, or paging is off.</summary>
    Mapped,

    /// <summary>No walk: the address is not canonical, which is #GP or #SS.</summary>
    NotCanonical,

    /// <summary>At an entry that is not present.</summary>
    NotPresent,

    /// <summary>At an entry with a reserved bit set.</summary>
    ReservedBit,

    /// <summary>At a table that is not in RAM: the processor reads what nobody wrote there.</summary>
    TableNotInRam,
}

/// <summary>
/// The way of a linear address through the guest's page tables, entry by entry, as the processor goes it (SDM vol. 3, ch. 5).
/// Allocates nothing. Accessed and dirty bits stay as they are; protection keys and shadow stacks are not looked at.
/// </summary>
internal struct PageWalk
{
    private const ulong AddressMask = 0x000f_ffff_ffff_f000;
    private const ulong LargePat = 1 << 12;

    private Entries _entries;

    /// <summary>The address.</summary>
    public ulong Linear { get; private set; }

    /// <summary>How addresses are translated.</summary>
    public PagingMode Mode { get; private set; }

    public PageWalkEnd End { get; private set; }

    /// <summary>Entries that were read, the root's first.</summary>
    public int Count { get; private set; }

    /// <summary>Guest-physical address behind the linear one; of the table that is not in RAM for <see cref="PageWalkEnd.TableNotInRam"/>.</summary>
    public ulong Physical { get; private set; }

    /// <summary>Size of the page in bytes; 4096 where paging is off.</summary>
    public ulong PageSize { get; private set; }

    /// <summary>Reserved bits that are set in the last entry.</summary>
    public ulong ReservedBits { get; private set; }

    /// <summary>Whether all entries allow writes.</summary>
    public bool IsWritable { get; private set; }

    /// <summary>Whether all entries allow CPL 3.</summary>
    public bool IsUser { get; private set; }

    /// <summary>Whether no entry forbids execution.</summary>
    public bool IsExecutable { get; private set; }

    /// <summary>An entry that was read, 0 for the root's.</summary>
    public readonly PageEntry this[int index] => _entries[index];

    /// <summary>Walks.</summary>
    public static PageWalk Of(ulong linear, in PagingState state, GuestMemory memory)
    {
        PageWalk walk = new()
        {
            Linear = linear,
            Mode = state.Mode,
            PageSize = 4096,
            IsWritable = true,
            IsUser = true,
            IsExecutable = true,
        };
        walk.Go(state, memory);
        return walk;
    }

    /// <summary>Whether an access goes through; else which fault it gets.</summary>
    /// <param name="access">What is done.</param>
    /// <param name="state">The state that the walk was made with.</param>
    /// <param name="errorCode">
    /// Of the page fault; 0 where it is none: <see cref="PageWalkEnd.NotCanonical"/>, or <see cref="PageWalkEnd.TableNotInRam"/>,
    /// where it depends on what the host reads there.
    /// </param>
    public readonly bool Permits(PageAccess access, in PagingState state, out uint errorCode)
    {
        errorCode = 0;
        if (Mode == PagingMode.None)
            return End == PageWalkEnd.Mapped;
        uint code = (uint)(access & (PageAccess.Write | PageAccess.User));
        if ((access & PageAccess.Fetch) != 0 && (state.NoExecute && Mode != PagingMode.TwoLevel || state.Smep))
            code |= (uint)PageAccess.Fetch;
        switch (End)
        {
            case PageWalkEnd.NotPresent:
                errorCode = code;
                return false;
            case PageWalkEnd.ReservedBit:
                errorCode = code | 1 | 1 << 3;
                return false;
            case not PageWalkEnd.Mapped:
                return false;
        }

        bool user = (access & PageAccess.User) != 0;
        bool fetch = (access & PageAccess.Fetch) != 0;
        bool allowed = user
            ? IsUser && ((access & PageAccess.Write) == 0 || IsWritable) && (!fetch || IsExecutable)
            : fetch
                ? IsExecutable && !(state.Smep && IsUser)
                : !(IsUser && state.Smap) && ((access & PageAccess.Write) == 0 || IsWritable || !state.WriteProtect);
        if (!allowed)
            errorCode = code | 1;
        return allowed;
    }

    private void Go(in PagingState state, GuestMemory memory)
    {
        if (!state.IsCanonical(Linear))
        {
            End = PageWalkEnd.NotCanonical;
            return;
        }

        switch (Mode)
        {
            case PagingMode.None:
                Physical = Linear;
                break;
            case PagingMode.TwoLevel:
                GoTwoLevels(state, memory);
                break;
            case PagingMode.Pae:
                GoDown(state, memory, state.Cr3 & 0xffff_ffe0, level: 3);
                break;
            default:
                GoDown(state, memory, state.Cr3 & AddressMask, level: Mode == PagingMode.FiveLevel ? 5 : 4);
                break;
        }
    }

    private void GoTwoLevels(in PagingState state, GuestMemory memory)
    {
        if (!Read32(memory, (state.Cr3 & 0xffff_f000) + (Linear >> 22) * 4, level: 2, out ulong entry))
            return;
        bool large = (state.Cr4 & ControlBits.Cr4Pse) != 0 && (entry & PageEntry.PageSize) != 0;
        Restrict(entry);
        if (large)
        {
            // PSE-36: bits 20:13 are bits 39:32 of the address; bit 21 is reserved.
            ReservedBits = entry & (1 << 21);
            Finish(entry & 0xffc0_0000 | (entry >> 13 & 0xff) << 32, 4 << 20);
            return;
        }

        if (!Read32(memory, (entry & 0xffff_f000) + (Linear >> 12 & 0x3ff) * 4, level: 1, out entry))
            return;
        Restrict(entry);
        Finish(entry & 0xffff_f000, 4096);
    }

    private void GoDown(in PagingState state, GuestMemory memory, ulong table, int level)
    {
        ulong tooHigh = AddressMask & ~((1UL << state.PhysicalBits) - 1);
        ulong always = tooHigh | (state.NoExecute ? 0 : PageEntry.NoExecute);
        for (; ; level--)
        {
            bool root = Mode == PagingMode.Pae && level == 3;
            int shift = 12 + (level - 1) * 9;
            ulong at = table + (Linear >> shift & (root ? 3UL : 0x1ff)) * 8;
            if (!memory.TryRead(at, out ulong entry))
            {
                Physical = at;
                End = PageWalkEnd.TableNotInRam;
                return;
            }

            if (!Take(new(level, at, entry)))
                return;
            bool large = level is 2 or 3 && !root && (entry & PageEntry.PageSize) != 0;
            ulong size = 1UL << shift;

            // Of the four entries at PAE's root, bits 5 and 6 are reserved too; QEMU's emulated processors mark them accessed.
            ulong reserved = always
                | (root ? PageEntry.NoExecute | 0x186 : 0)
                | (level >= 4 ? PageEntry.PageSize : 0)
                | (large ? size - 1 & ~(LargePat | 0xfff) : 0);
            ReservedBits = entry & reserved;
            if (ReservedBits != 0)
            {
                End = PageWalkEnd.ReservedBit;
                return;
            }

            if (!root)
                Restrict(entry);
            if (large || level == 1)
            {
                Finish(entry & AddressMask & ~(size - 1), size);
                return;
            }

            table = entry & AddressMask;
        }
    }

    private bool Read32(GuestMemory memory, ulong at, int level, out ulong entry)
    {
        entry = 0;
        if (!memory.TryRead(at, out uint value))
        {
            Physical = at;
            End = PageWalkEnd.TableNotInRam;
            return false;
        }

        entry = value;
        return Take(new(level, at, value));
    }

    private bool Take(PageEntry entry)
    {
        _entries[Count++] = entry;
        if ((entry.Value & PageEntry.Present) != 0)
            return true;
        End = PageWalkEnd.NotPresent;
        return false;
    }

    private void Restrict(ulong entry)
    {
        IsWritable &= (entry & PageEntry.Writable) != 0;
        IsUser &= (entry & PageEntry.User) != 0;
        IsExecutable &= Mode == PagingMode.TwoLevel || (entry & PageEntry.NoExecute) == 0;
    }

    private void Finish(ulong page, ulong size)
    {
        if (ReservedBits != 0)
        {
            End = PageWalkEnd.ReservedBit;
            return;
        }

        PageSize = size;
        Physical = page + (Linear & size - 1);
    }

    [InlineArray(5)]
    private struct Entries
    {
        private PageEntry _first;
    }
}
