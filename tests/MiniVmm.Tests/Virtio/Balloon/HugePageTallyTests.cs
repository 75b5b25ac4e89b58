using CsCheck;
using MiniVmm.Virtio.Balloon;

namespace MiniVmm.Tests.Virtio.Balloon;

public sealed class HugePageTallyTests
{
    private const int PerHugePage = 8;
    private const int Pages = 40;

    [Fact]
    public void A_huge_page_is_whole_with_its_last_small_one()
    {
        HugePageTally tally = new(1024, 512);

        for (ulong page = 1023; page > 512; page--)
            Assert.False(tally.Add(page));
        Assert.True(tally.Add(512));
        Assert.False(tally.Add(0));
    }

    [Fact]
    public void A_page_that_comes_twice_counts_once()
    {
        HugePageTally tally = new(Pages, PerHugePage);

        for (int i = 0; i < 2 * PerHugePage; i++)
            Assert.False(tally.Add(3));
    }

    [Fact]
    public void Cleared_it_begins_anew()
    {
        HugePageTally tally = new(Pages, PerHugePage);
        for (ulong page = 0; page < PerHugePage - 1; page++)
            tally.Add(page);

        tally.Clear();

        Assert.False(tally.Add(PerHugePage - 1));
    }

    [Fact]
    public void Whatever_comes_and_goes_it_says_true_just_when_the_last_page_of_eight_comes()
    {
        Gen.Select(Gen.Bool, Gen.ULong[0, Pages - 1]).List[0, 200].Sample(
            steps =>
            {
                HugePageTally tally = new(Pages, PerHugePage);
                HashSet<ulong> inside = [];
                foreach ((bool comes, ulong page) in steps)
                {
                    if (!comes)
                    {
                        tally.Remove(page);
                        inside.Remove(page);
                        continue;
                    }

                    ulong first = page - (page % PerHugePage);
                    bool expected = inside.Add(page)
                        && Enumerable.Range(0, PerHugePage).All(i => inside.Contains(first + (ulong)i));
                    Assert.Equal(expected, tally.Add(page));
                }
            },
            seed: "0000KOIPe182",
            iter: 500);
    }
}
