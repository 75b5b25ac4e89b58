using CsCheck;
using MiniVmm.Configuration;
using MiniVmm.Cpu;

namespace MiniVmm.Tests.Cpu;

public sealed class CpuTopologyTests
{
    [Theory]
    [InlineData("4,sockets=2,threads=2", "2 sockets × 1 core × 2 threads = 4 vCPUs")]
    [InlineData("1", "1 socket × 1 core × 1 thread = 1 vCPU")]
    [InlineData("3,maxcpus=4,cores=2", "2 sockets × 2 cores × 1 thread = 3 vCPUs, up to 4")]
    public void A_topology_reads_as_its_arithmetic(string text, string expected) =>
        Assert.Equal(expected, TopologyText.Parse(text).ToString());

    [Theory]
    [InlineData(1, 1, 1, 0, 0)]
    [InlineData(4, 1, 1, 0, 0)]
    [InlineData(1, 2, 1, 0, 1)]
    [InlineData(2, 3, 2, 1, 2)]
    [InlineData(2, 4, 2, 1, 2)]
    [InlineData(2, 5, 7, 3, 3)]
    [InlineData(1, 128, 2, 1, 7)]
    [InlineData(1, 129, 3, 2, 8)]
    public void Field_widths_are_the_smallest_that_fit(
        int sockets, int cores, int threads, int threadBits, int coreBits)
    {
        CpuTopology topology = new(sockets, cores, threads);

        Assert.Equal((threadBits, coreBits), (topology.ThreadBits, topology.CoreBits));
        Assert.Equal(threadBits + coreBits, topology.PackageShift);
    }

    [Fact]
    public void Three_cores_of_two_threads_leave_gaps_in_the_apic_ids()
    {
        CpuTopology topology = TopologyText.Parse("12,sockets=2,cores=3,threads=2");

        Assert.Equal(
            [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13],
            Enumerable.Range(0, 12).Select(i => (int)topology.ApicId(i)));
        Assert.Equal(13u, topology.MaxApicId);
        Assert.Equal((1, 2, 1), topology.Position(11));
    }

    [Fact]
    public void Every_apic_id_is_distinct_ascending_and_unpacks_to_its_position() =>
        Gen.Select(Gen.Int[1, 16], Gen.Int[1, 16], Gen.Int[1, 16])
            .Select((s, c, t) => new CpuTopology(s, c, t))
            .Sample(
                topology =>
                {
                    long previous = -1;
                    for (int i = 0; i < topology.MaxCpus; i++)
                    {
                        uint id = topology.ApicId(i);
                        Assert.True(id > previous);
                        previous = id;
                        int threadMask = (1 << topology.ThreadBits) - 1;
                        int coreMask = (1 << topology.CoreBits) - 1;
                        Assert.Equal(
                            topology.Position(i),
                            (
                                (int)(id >> topology.PackageShift),
                                (int)(id >> topology.ThreadBits) & coreMask,
                                (int)id & threadMask));
                    }

                    Assert.Equal(topology.MaxApicId, (uint)previous);
                },
                iter: 50,
                threads: 1);

    [Fact]
    public void A_place_that_is_not_there_has_no_apic_id()
    {
        CpuTopology topology = TopologyText.Parse("2,maxcpus=4");

        Assert.Equal(3u, topology.ApicId(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => topology.ApicId(4));
        Assert.Throws<ArgumentOutOfRangeException>(() => topology.ApicId(-1));
    }
}
