namespace MiniVmm.Virtio.Balloon;

/// <summary>
/// Which 4 KiB pages of each huge page are in the balloon: the host takes a huge page back only when all of them are.
/// </summary>
/// <param name="pages">4 KiB pages of RAM.</param>
/// <param name="perHugePage">How many make a huge one.</param>
internal sealed class HugePageTally(ulong pages, int perHugePage)
{
    private readonly ulong[] _inBalloon = new ulong[(pages + 63) / 64];
    private readonly int[] _counts = new int[(pages + (ulong)perHugePage - 1) / (ulong)perHugePage];

    /// <summary>Puts a page into the balloon.</summary>
    /// <returns>True where its huge page is whole by that.</returns>
    public bool Add(ulong page)
    {
        ref ulong word = ref _inBalloon[page / 64];
        ulong bit = 1UL << (int)(page % 64);
        if ((word & bit) != 0)
            return false;
        word |= bit;
        return ++_counts[page / (ulong)perHugePage] == perHugePage;
    }

    /// <summary>Takes it out again; a page that is not in it stays so.</summary>
    public void Remove(ulong page)
    {
        ref ulong word = ref _inBalloon[page / 64];
        ulong bit = 1UL << (int)(page % 64);
        if ((word & bit) == 0)
            return;
        word &= ~bit;
        _counts[page / (ulong)perHugePage]--;
    }

    public void Clear()
    {
        Array.Clear(_inBalloon);
        Array.Clear(_counts);
    }
}
