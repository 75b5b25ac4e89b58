using System.Globalization;
using System.Text;

namespace MiniVmm.Inspection;

/// <summary>One entry of a paging structure as a walk met it (SDM vol. 3, 5.3 to 5.5).</summary>
/// <param name="Level">5 for a PML5 entry, 4 PML4, 3 page-directory pointer, 2 page directory, 1 page table.</param>
/// <param name="Address">Guest-physical address of the entry.</param>
/// <param name="Value">What it holds.</param>
internal readonly record struct PageEntry(int Level, ulong Address, ulong Value)
{
    public const ulong Present = 1 << 0;
    public const ulong Writable = 1 << 1;
    public const ulong User = 1 << 2;
    public const ulong PageSize = 1 << 7;
    public const ulong NoExecute = 1UL << 63;

    /// <summary>As in "PML4E", "PTE".</summary>
    public string Name => Level switch
    {
        5 => "PML5E",
        4 => "PML4E",
        3 => "PDPTE",
        2 => "PDE",
        _ => "PTE",
    };

    /// <summary>The flags in words, as in "present, writable, supervisor, accessed, 2-MiB page".</summary>
    public string Flags(PagingMode mode)
    {
        if ((Value & Present) == 0)
            return Value == 0 ? "empty" : "not present";
        StringBuilder text = new("present");
        bool paeRoot = mode == PagingMode.Pae && Level == 3;
        if (!paeRoot)
        {
            text.Append((Value & Writable) != 0 ? ", writable" : ", read-only");
            text.Append((Value & User) != 0 ? ", user" : ", supervisor");
        }

        ulong value = Value;
        Add(3, "write-through");
        Add(4, "uncached");
        if (!paeRoot)
        {
            Add(5, "accessed");
            Add(6, "dirty");
        }

        if (Level > 1 && (Value & PageSize) != 0)
            text.Append(CultureInfo.InvariantCulture, $", {LargePage(mode)} page");
        Add(8, "global");
        if (mode != PagingMode.TwoLevel)
            Add(63, "no-execute");
        return text.ToString();

        void Add(int bit, string name)
        {
            if ((value >> bit & 1) != 0)
                text.Append(", ").Append(name);
        }
    }

    private string LargePage(PagingMode mode) => (mode, Level) switch
    {
        (PagingMode.TwoLevel, _) => "4-MiB",
        (_, 3) => "1-GiB",
        (_, 2) => "2-MiB",
        _ => "impossible",
    };
}
