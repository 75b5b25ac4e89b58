using CsCheck;
using MiniVmm.Configuration;
using MiniVmm.Cpu;

namespace MiniVmm.Tests.Cpu;

public sealed class CpuidTopologyTests
{
    public static TheoryData<string> Shapes =>
    [
        "1", "2", "3", "4", "5", "8", "6,cores=3,threads=2", "12,sockets=2,cores=3,threads=2", "4,sockets=2,threads=2",
        "4,cores=4", "4,cores=2,threads=2", "2,threads=2", "7,threads=7", "14,sockets=1,cores=2,threads=7",
        "15,sockets=5,cores=3", "25,sockets=1,cores=5,threads=5", "45,sockets=5,cores=3,threads=3", "64,cores=64",
        "128,cores=64,threads=2", "255", "256,sockets=1,cores=128,threads=2", "254,sockets=127,cores=2",
        "288,sockets=2,cores=72,threads=2", "300,cores=300", "1024,sockets=4,cores=128,threads=2",
        "2,maxcpus=12,cores=3",
    ];

    [Theory]
    [MemberData(nameof(Shapes))]
    public void An_intel_guest_finds_its_place(string smp) => CheckIntel(TopologyText.Parse(smp));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void An_amd_guest_finds_its_place(string smp)
    {
        CheckAmd(SupportedCpuid.Amd, TopologyText.Parse(smp));
        CheckAmd(SupportedCpuid.Sparse, TopologyText.Parse(smp));
    }

    [Fact]
    public void Any_guest_of_any_shape_finds_its_place() =>
        Gen.Select(Gen.Int[1, 5], Gen.Int[1, 20], Gen.Int[1, 5])
            .Select((s, c, t) => new CpuTopology(s, c, t))
            .Sample(
                topology =>
                {
                    CheckIntel(topology);
                    CheckAmd(SupportedCpuid.Amd, topology);
                },
                iter: 12,
                threads: 1);

    [Theory]
    [InlineData("kvm64")]
    [InlineData("qemu64")]
    [InlineData("Haswell")]
    [InlineData("EPYC")]
    public void A_named_model_has_the_same_topology(string model)
    {
        CpuTopology topology = TopologyText.Parse("12,sockets=2,cores=3,threads=2");
        CpuSelection selection = CpuText.Parse(model);
        foreach ((int index, GuestCpuid guest) in Guests(SupportedCpuid.Intel, topology, selection))
        {
            Assert.Equal(topology.Position(index), guest.Extended(0xB));
            Assert.Equal(topology.Position(index), guest.IntelLegacy());
        }

        foreach ((int index, GuestCpuid guest) in Guests(SupportedCpuid.Amd, topology, selection))
        {
            (int socket, int core, int thread) = topology.Position(index);
            Assert.Equal(topology.Position(index), guest.Extended(0xB));
            Assert.Equal((socket, (core << 1) | thread), guest.AmdLegacy());
            if (model == "EPYC")
                Assert.Equal(topology.Position(index), guest.Amd());
            else
                Assert.Equal(default, guest.Leaf(0x8000001E) with { Function = 0 });
        }
    }

    [Fact]
    public void A_single_processor_says_so()
    {
        GuestCpuid intel = new(Build(SupportedCpuid.Intel, CpuTopology.Single).ForVcpu(0));
        GuestCpuid amd = new(Build(SupportedCpuid.Amd, CpuTopology.Single).ForVcpu(0));

        Assert.False(intel.Has("ht"));
        Assert.False(amd.Has("ht"));
        Assert.False(amd.Has("cmp-legacy"));
        Assert.Equal(0x0001_0000u, amd.Leaf(0x80000008).Ecx);
    }

    [Fact]
    public void Reserved_fields_of_the_other_vendor_stay_zero()
    {
        GuestCpuid intel = new(Build(SupportedCpuid.Intel, new(1, 4, 2)).ForVcpu(7));
        GuestCpuid amd = new(Build(SupportedCpuid.Amd, new(1, 4, 2)).ForVcpu(7));

        Assert.Equal(0u, intel.Leaf(0x80000008).Ecx);
        Assert.False(intel.Has("cmp-legacy"));
        Assert.False(intel.Has("topoext"));
        Assert.Equal(default, intel.Leaf(0x8000001E));
        Assert.Equal(0u, amd.Leaf(4).Eax);
        Assert.Equal(0x0001_0000u, amd.Leaf(0x80000008).Ecx & 0x0003_0000);
    }

    [Fact]
    public void The_hosts_own_finer_topology_is_not_passed_on()
    {
        CpuidLeaf[] leaves = Build(SupportedCpuid.Amd, new(1, 2, 2)).ForVcpu(0);

        Assert.All(
            leaves.Where(leaf => leaf.Function == 0x80000026),
            leaf => Assert.Equal((0u, 0u, 0u, 0u), (leaf.Eax, leaf.Ebx, leaf.Ecx, leaf.Edx)));
    }

    [Fact]
    public void Without_a_leaf_1f_from_kvm_the_guest_has_none()
    {
        CpuidLeaf[] supported = [.. SupportedCpuid.Intel.Where(leaf => leaf.Function != 0x1F)];

        Assert.DoesNotContain(Build(supported, new(1, 2, 2)).ForVcpu(0), leaf => leaf.Function == 0x1F);
    }

    [Fact]
    public void Only_ids_differ_between_vcpus()
    {
        CpuidTemplate template = Build(SupportedCpuid.Amd, new(2, 2, 2));
        (uint, uint)[] differing =
        [
            .. template.ForVcpu(0).Zip(template.ForVcpu(7))
                .Where(pair => pair.First != pair.Second)
                .Select(pair => (pair.First.Function, pair.First.Index)),
        ];

        Assert.Equal([(1u, 0u), (0xBu, 0u), (0xBu, 1u), (0xBu, 2u), (0x8000001Eu, 0u)], differing);
    }

    private static CpuidTemplate Build(
        IReadOnlyList<CpuidLeaf> supported, CpuTopology topology, CpuSelection? selection = null) =>
        CpuidBuilder.Build(new(supported) { TscDeadline = true }, selection ?? CpuSelection.Host, topology);

    private static IEnumerable<(int Index, GuestCpuid Guest)> Guests(
        IReadOnlyList<CpuidLeaf> supported, CpuTopology topology, CpuSelection? selection = null)
    {
        CpuidTemplate template = Build(supported, topology, selection);
        return Enumerable.Range(0, topology.MaxCpus).Select(i => (i, new GuestCpuid(template.ForVcpu(i))));
    }

    private static void CheckIntel(CpuTopology topology)
    {
        // What eight bits of APIC id and six of cores can hold, the legacy way must tell right too.
        bool legacyFits = topology.MaxApicId <= 255 && topology.CoreBits <= 6;
        HashSet<(int, int, int)> places = [];
        foreach ((int index, GuestCpuid guest) in Guests(SupportedCpuid.Intel, topology))
        {
            (int socket, int core, int thread) = topology.Position(index);
            Assert.True(places.Add(guest.Extended(0xB)));
            Assert.Equal((socket, core, thread), guest.Extended(0xB));
            Assert.Equal((socket, core, thread), guest.Extended(0x1F));
            if (legacyFits)
                Assert.Equal((socket, core, thread), guest.IntelLegacy());
            Assert.Equal((uint)topology.Threads, guest.Leaf(0xB, 0).Ebx);
            Assert.Equal((uint)topology.ThreadsPerSocket, guest.Leaf(0xB, 1).Ebx);
            Assert.Equal(topology.ThreadsPerSocket > 1, guest.Has("ht"));

            uint core0 = topology.ApicId(0) | (uint)((socket * (1 << topology.CoreBits)) + core);
            Assert.Equal(core0, guest.CacheId(4, 0));
            Assert.Equal(core0, guest.CacheId(4, 2));
            Assert.Equal((uint)socket, guest.CacheId(4, 3));
        }
    }

    private static void CheckAmd(IReadOnlyList<CpuidLeaf> supported, CpuTopology topology)
    {
        HashSet<(int, int, int)> places = [];
        foreach ((int index, GuestCpuid guest) in Guests(supported, topology))
        {
            (int socket, int core, int thread) = topology.Position(index);
            Assert.True(places.Add(guest.Extended(0xB)));
            Assert.Equal((socket, core, thread), guest.Extended(0xB));
            Assert.Equal((socket, core, thread), guest.Amd());
            if (topology.MaxApicId <= 255)
                Assert.Equal((socket, (core << topology.ThreadBits) | thread), guest.AmdLegacy());
            Assert.Equal(Math.Min((uint)topology.ThreadsPerSocket - 1, 255), guest.Leaf(0x80000008).Ecx & 0xFF);
            Assert.Equal(topology.ThreadsPerSocket > 1, guest.Has("ht"));
            Assert.Equal(topology.ThreadsPerSocket > 1, guest.Has("cmp-legacy"));
            if (topology.ThreadsPerSocket is > 1 and < 256)
                Assert.Equal((uint)topology.ThreadsPerSocket, guest.Leaf(1).Ebx >> 16 & 0xFF);

            uint core0 = (uint)((socket * (1 << topology.CoreBits)) + core);
            Assert.Equal(core0, guest.CacheId(0x8000001D, 0));
            Assert.Equal(core0, guest.CacheId(0x8000001D, 2));
            Assert.Equal((uint)socket, guest.CacheId(0x8000001D, 3));
        }
    }
}
