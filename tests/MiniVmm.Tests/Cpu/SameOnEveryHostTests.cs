using CsCheck;
using MiniVmm.Configuration;
using MiniVmm.Cpu;

namespace MiniVmm.Tests.Cpu;

/// <summary>
/// A named model is the same to a guest on every host that has its features, whatever else the host says: other leaves, other
/// bits, more features. Only the vendor stays the host's unless it is given, and the layout of the XSAVE area is the
/// hardware's.
/// </summary>
public sealed class SameOnEveryHostTests
{
    // A layout of XSAVE states that no host must differ in.
    private static readonly IReadOnlyList<CpuidLeaf> Xsave = SupportedCpuid.Read("""
        d 0 1 602e7 2b00 2b00 0
        d 1 1 1f 2b00 1900 0
        d 2 1 100 240 0 0
        d 5 1 40 440 0 0
        d 6 1 200 480 0 0
        d 7 1 400 680 0 0
        d 8 1 80 0 1 0
        d 9 1 8 a80 0 0
        d b 1 10 0 1 0
        d c 1 18 0 1 0
        d 11 1 40 ac0 2 0
        d 12 1 2000 b00 6 0
        """);

    private static readonly CpuTopology[] Topologies = [CpuTopology.Single, new(2, 3, 2)];

    private static IEnumerable<CpuModel> Models => CpuModels.Load().All.Where(model => !model.IsHost);

    [Fact]
    public void On_hosts_of_one_vendor()
    {
        SupportedCpu[] intels =
        [
            Capable(SupportedCpuid.Intel), Capable(WithVendorOf(SupportedCpuid.Sparse, SupportedCpuid.Intel)),
        ];
        SupportedCpu[] amds = [Capable(SupportedCpuid.Amd), Capable(SupportedCpuid.Sparse)];
        foreach (CpuModel model in Models)
        {
            AssertSame(model.Name, intels);
            AssertSame(model.Name, amds);
        }
    }

    [Fact]
    public void On_all_hosts_where_the_vendor_is_given()
    {
        SupportedCpu[] hosts = [Capable(SupportedCpuid.Intel), Capable(SupportedCpuid.Amd), Capable(SupportedCpuid.Sparse)];
        foreach (CpuModel model in Models)
        {
            AssertSame($"{model.Name},vendor=GenuineIntel", hosts);
            AssertSame($"{model.Name},vendor=AuthenticAMD", hosts);
        }
    }

    [Fact]
    public void Whatever_the_host_says_beside_its_features()
    {
        CpuSelection[] selections =
        [
            .. ((string[])["EPYC-Genoa", "SapphireRapids-v3", "GraniteRapids-v2", "Haswell-noTSX", "qemu64,+svm", "486"])
                .Select(text => CpuText.Parse(text)),
        ];
        CpuidLeaf[][] expected =
        [
            .. selections.Select(selection =>
                CpuidBuilder.Build(Capable(SupportedCpuid.Amd), selection, Topologies[1]).ForVcpu(11)),
        ];
        uint[] functions =
        [
            0, 1, 2, 4, 5, 6, 7, 9, 0xA, 0xB, 0x12, 0x14, 0x15, 0x16, 0x1D, 0x1E, 0x1F, 0x24, 0x40000000, 0x40000001,
            0x80000000, 0x80000001, 0x80000002, 0x80000005, 0x80000006, 0x80000007, 0x80000008, 0x8000000A, 0x8000001D,
            0x8000001E, 0x8000001F, 0x80000021, 0x80000022, 0x80000026, 0xC0000000,
        ];
        Gen.Select(Gen.Int[0, functions.Length - 1].Select(i => functions[i]), Gen.UInt[0, 3], Gen.UInt, Gen.UInt, Gen.UInt, Gen.UInt)
            .Select((f, i, a, b, c, d) => new CpuidLeaf(f, CpuidTable.HasIndex(f) ? i : 0, a, b, c, d, CpuidTable.HasIndex(f)))
            .Array[0, 40]
            .Sample(
                noise =>
                {
                    SupportedCpu host = Capable(WithVendorOf(noise, SupportedCpuid.Amd));
                    for (int i = 0; i < selections.Length; i++)
                        Assert.Equal(expected[i], CpuidBuilder.Build(host, selections[i], Topologies[1]).ForVcpu(11));
                },
                iter: 50,
                threads: 1);
    }

    [Fact]
    public void A_host_that_has_everything_has_nothing_to_warn_of()
    {
        foreach (CpuModel model in Models)
        {
            CpuSelection selection = CpuText.Parse($"{model.Name},enforce");

            Assert.Empty(CpuidBuilder.Build(Capable(SupportedCpuid.Intel), selection, CpuTopology.Single).Warnings);
        }
    }

    private static void AssertSame(string text, SupportedCpu[] hosts)
    {
        CpuSelection selection = CpuText.Parse(text);
        foreach (CpuTopology topology in Topologies)
        {
            CpuidTemplate first = CpuidBuilder.Build(hosts[0], selection, topology);
            foreach (SupportedCpu host in hosts.Skip(1))
            {
                CpuidTemplate other = CpuidBuilder.Build(host, selection, topology);
                for (int i = 0; i < topology.MaxCpus; i++)
                    Assert.Equal(first.ForVcpu(i), other.ForVcpu(i));
                Assert.Equal(first.Msrs, other.Msrs);
                Assert.Equal(
                    first.Warnings.Select(warning => warning.ToString()),
                    other.Warnings.Select(warning => warning.ToString()));
            }
        }
    }

    /// <summary>The host with all features that there are, and enough address bits.</summary>
    private static SupportedCpu Capable(IReadOnlyList<CpuidLeaf> leaves)
    {
        CpuidTable table = new(leaves);
        foreach (CpuFeatureWord word in CpuFeatures.Words.Where(word => word.Register != CpuidRegister.Msr))
            table.Set(word, uint.MaxValue);
        table.RemoveAll(leaf => leaf.Function == 0xD);
        foreach (CpuidLeaf leaf in Xsave)
            table.Set(leaf);
        table.Set(new CpuFeatureWord(0x80000008, 0, CpuidRegister.Eax), 0x3934);
        return new(table.Leaves) { TscDeadline = true, FeatureMsr = _ => uint.MaxValue };
    }

    private static List<CpuidLeaf> WithVendorOf(IEnumerable<CpuidLeaf> leaves, IEnumerable<CpuidLeaf> other) =>
        [other.First(leaf => leaf.Function == 0), .. leaves.Where(leaf => leaf.Function != 0)];
}
