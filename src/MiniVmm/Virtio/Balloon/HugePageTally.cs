using System.Numerics;
using System.Runtime.InteropServices;
using MiniVmm.Devices;

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

    public void Save(StateWriter writer) => writer.WriteBytes(MemoryMarshal.AsBytes<ulong>(_inBalloon));

    public void Restore(StateReader reader)
    {
        int length = _inBalloon.Length * sizeof(ulong);
        ReadOnlySpan<byte> bytes = reader.ReadBytes(length);
        reader.Check(bytes.Length == length, $"{bytes.Length} bytes of page bits, and RAM has {length}");
        bytes.CopyTo(MemoryMarshal.AsBytes(_inBalloon.AsSpan()));
        Array.Clear(_counts);
        for (int i = 0; i < _inBalloon.Length; i++)
        {
            for (ulong word = _inBalloon[i]; word != 0; word &= word - 1)
            {
                ulong page = ((ulong)i * 64) + (ulong)BitOperations.TrailingZeroCount(word);
                reader.Check(page < pages, $"page {page} in the balloon, and RAM has {pages}");
                _counts[page / (ulong)perHugePage]++;
            }
        }
    }

    public void Clear()
    {
        Array.Clear(_inBalloon);
        Array.Clear(_counts);
    }
}
