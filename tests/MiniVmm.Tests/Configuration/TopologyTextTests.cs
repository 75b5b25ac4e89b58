using CsCheck;
using MiniVmm.Configuration;
using MiniVmm.Cpu;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Configuration;

public sealed class TopologyTextTests
{
    [Theory]
    [InlineData("1", 1, 1, 1, 1, 1)]
    [InlineData("4", 4, 1, 1, 4, 4)]
    [InlineData("cpus=4", 4, 1, 1, 4, 4)]
    [InlineData("6,cores=3,threads=2", 1, 3, 2, 6, 6)]
    [InlineData("12,cores=3,threads=2", 2, 3, 2, 12, 12)]
    [InlineData("4,sockets=2,threads=2", 2, 1, 2, 4, 4)]
    [InlineData("4,sockets=2", 2, 2, 1, 4, 4)]
    [InlineData("4,sockets=1", 1, 4, 1, 4, 4)]
    [InlineData("8,sockets=2,cores=2", 2, 2, 2, 8, 8)]
    [InlineData("8,threads=2", 4, 1, 2, 8, 8)]
    [InlineData("threads=2,cores=3,sockets=2", 2, 3, 2, 12, 12)]
    [InlineData("cores=3", 1, 3, 1, 3, 3)]
    [InlineData("2,maxcpus=8", 8, 1, 1, 2, 8)]
    [InlineData("maxcpus=8", 8, 1, 1, 8, 8)]
    [InlineData("3,maxcpus=8,sockets=1,threads=2", 1, 4, 2, 3, 8)]
    [InlineData("2,maxcpus=2", 2, 1, 1, 2, 2)]
    [InlineData("4,dies=1,clusters=1,modules=1,books=1,drawers=1,cores=4", 1, 4, 1, 4, 4)]
    [InlineData(" 4 , cores=2 ", 2, 2, 1, 4, 4)]
    [InlineData("4096", 4096, 1, 1, 4096, 4096)]
    public void What_is_left_out_is_worked_out(string text, int sockets, int cores, int threads, int count, int max)
    {
        CpuTopology topology = TopologyText.Parse(text);

        Assert.Equal(
            (sockets, cores, threads, count, max),
            (topology.Sockets, topology.Cores, topology.Threads, topology.Count, topology.MaxCpus));
    }

    [Theory]
    [InlineData(
        "4,cores=3", "4 vCPUs cannot be divided into sockets of 3 cores × 1 thread (4 / 3 is not a whole number)")]
    [InlineData("2,cores=2,threads=2",
        "2 vCPUs cannot be divided into sockets of 2 cores × 2 threads (2 / 4 is not a whole number)")]
    [InlineData("4,sockets=2,cores=1,threads=1", "2 sockets × 1 core × 1 thread = 2, not 4 vCPUs")]
    [InlineData(
        "4,sockets=3", "4 vCPUs cannot be divided over 3 sockets × 1 thread a core (4 / 3 is not a whole number)")]
    [InlineData(
        "4,sockets=3,cores=1", "4 vCPUs cannot be divided over 3 sockets × 1 core (4 / 3 is not a whole number)")]
    [InlineData("1,maxcpus=6,cores=4",
        "6 possible vCPUs cannot be divided into sockets of 4 cores × 1 thread (6 / 4 is not a whole number)")]
    [InlineData("1,maxcpus=6,sockets=1,cores=4,threads=1", "1 socket × 4 cores × 1 thread = 4, not 6 vCPUs (maxcpus)")]
    [InlineData("8,maxcpus=4", "8 vCPUs present is more than maxcpus=4")]
    [InlineData("0", "cpus=0; there must be at least 1")]
    [InlineData("4,cores=0", "cores=0; there must be at least 1")]
    [InlineData("-1", "cpus '-1' is not a whole number from 1 to 4096")]
    [InlineData("4,threads=-2", "threads '-2' is not a whole number from 1 to 4096")]
    [InlineData("two", "cpus 'two' is not a whole number from 1 to 4096")]
    [InlineData("0x4", "cpus '0x4' is not a whole number from 1 to 4096")]
    [InlineData("4,cores=", "cores '' is not a whole number from 1 to 4096")]
    [InlineData("4,nodes=2", "unknown key 'nodes'; use cpus, maxcpus, sockets, cores or threads")]
    [InlineData("4,2", "'2' has no key; put cpus=, maxcpus=, sockets=, cores= or threads= in front")]
    [InlineData("4,cores=2,cores=2", "cores is given twice")]
    [InlineData("4,cpus=4", "cpus is given twice")]
    [InlineData("4,,cores=2", "an empty part; remove a comma")]
    [InlineData("4,", "an empty part; remove a comma")]
    [InlineData("4,dies=2", "dies=2 is not supported; only sockets, cores and threads (dies=1 is accepted)")]
    [InlineData(
        "4,clusters=2", "clusters=2 is not supported; only sockets, cores and threads (clusters=1 is accepted)")]
    [InlineData("4097", "cpus=4097 is too many; at most 4096")]
    [InlineData("99999999999999999999", "cpus=99999999999999999999 is too many; at most 4096")]
    [InlineData("sockets=4096,cores=4096,threads=4096",
        "4096 sockets × 4096 cores × 4096 threads = 68719476736 vCPUs is too many; at most 4096")]
    public void An_impossible_smp_is_refused_with_its_arithmetic(string text, string reason)
    {
        BadInputException error = Assert.Throws<BadInputException>(() => TopologyText.Parse(text));

        Assert.Equal($"--smp {text}: {reason}", error.OnCommandLine());
    }

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    public void An_empty_smp_is_refused(string text) =>
        Assert.Contains(
            "empty", Assert.Throws<BadInputException>(() => TopologyText.Parse(text)).OnCommandLine(), StringComparison.Ordinal);

    [Fact]
    public void Any_text_gives_a_topology_or_one_clear_line() =>
        Gen.String[Gen.Char["0123456789,=cpusmaxoresthd- "], 0, 24].Sample(
            text =>
            {
                try
                {
                    CpuTopology topology = TopologyText.Parse(text);
                    Assert.Equal(topology.MaxCpus, topology.Sockets * topology.Cores * topology.Threads);
                    Assert.InRange(topology.Count, 1, topology.MaxCpus);
                }
                catch (BadInputException error)
                {
                    Assert.StartsWith("--smp", error.OnCommandLine(), StringComparison.Ordinal);
                }
            },
            iter: 2000,
            threads: 1);
}
