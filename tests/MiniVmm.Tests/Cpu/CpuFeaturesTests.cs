using System.Numerics;
using MiniVmm.Cpu;

namespace MiniVmm.Tests.Cpu;

public sealed class CpuFeaturesTests
{
    [Fact]
    public void No_two_features_share_a_bit()
    {
        HashSet<(CpuFeatureWord, int)> seen = [];
        foreach (CpuFeature feature in CpuFeatures.All)
        {
            for (uint mask = feature.Mask; mask != 0; mask &= mask - 1)
                Assert.True(seen.Add((feature.Word, BitOperations.TrailingZeroCount(mask))), feature.Name);
        }
    }

    [Fact]
    public void Every_feature_is_found_by_its_own_name_and_has_a_name_of_its_own()
    {
        Assert.Equal(CpuFeatures.All.Count, CpuFeatures.All.Select(f => f.Name).Distinct().Count());
        foreach (CpuFeature feature in CpuFeatures.All)
        {
            Assert.True(CpuFeatures.TryFind(feature.Name, out CpuFeature found));
            Assert.Equal(feature, found);
        }

        Assert.True(CpuFeatures.All.Count > 200, $"{CpuFeatures.All.Count}");
    }

    [Fact]
    public void A_feature_is_one_bit_but_for_kvmclock() =>
        Assert.Equal(["kvmclock"], CpuFeatures.All.Where(f => BitOperations.PopCount(f.Mask) != 1).Select(f => f.Name));

    // Positions from the manuals, one or more a word and the last of each row that could have slipped.
    [Theory]
    [InlineData("fpu", 1u, 0u, CpuidRegister.Edx, 0)]
    [InlineData("clflush", 1u, 0u, CpuidRegister.Edx, 19)]
    [InlineData("sse2", 1u, 0u, CpuidRegister.Edx, 26)]
    [InlineData("pbe", 1u, 0u, CpuidRegister.Edx, 31)]
    [InlineData("pni", 1u, 0u, CpuidRegister.Ecx, 0)]
    [InlineData("cx16", 1u, 0u, CpuidRegister.Ecx, 13)]
    [InlineData("sse4.1", 1u, 0u, CpuidRegister.Ecx, 19)]
    [InlineData("tsc-deadline", 1u, 0u, CpuidRegister.Ecx, 24)]
    [InlineData("xsave", 1u, 0u, CpuidRegister.Ecx, 26)]
    [InlineData("avx", 1u, 0u, CpuidRegister.Ecx, 28)]
    [InlineData("hypervisor", 1u, 0u, CpuidRegister.Ecx, 31)]
    [InlineData("arat", 6u, 0u, CpuidRegister.Eax, 2)]
    [InlineData("avx2", 7u, 0u, CpuidRegister.Ebx, 5)]
    [InlineData("smap", 7u, 0u, CpuidRegister.Ebx, 20)]
    [InlineData("avx512vl", 7u, 0u, CpuidRegister.Ebx, 31)]
    [InlineData("umip", 7u, 0u, CpuidRegister.Ecx, 2)]
    [InlineData("la57", 7u, 0u, CpuidRegister.Ecx, 16)]
    [InlineData("rdpid", 7u, 0u, CpuidRegister.Ecx, 22)]
    [InlineData("pks", 7u, 0u, CpuidRegister.Ecx, 31)]
    [InlineData("fsrm", 7u, 0u, CpuidRegister.Edx, 4)]
    [InlineData("ibt", 7u, 0u, CpuidRegister.Edx, 20)]
    [InlineData("arch-capabilities", 7u, 0u, CpuidRegister.Edx, 29)]
    [InlineData("ssbd", 7u, 0u, CpuidRegister.Edx, 31)]
    [InlineData("avx512-bf16", 7u, 1u, CpuidRegister.Eax, 5)]
    [InlineData("fred", 7u, 1u, CpuidRegister.Eax, 17)]
    [InlineData("lam", 7u, 1u, CpuidRegister.Eax, 26)]
    [InlineData("xsaves", 0xDu, 1u, CpuidRegister.Eax, 3)]
    [InlineData("lahf-lm", 0x80000001u, 0u, CpuidRegister.Ecx, 0)]
    [InlineData("topoext", 0x80000001u, 0u, CpuidRegister.Ecx, 22)]
    [InlineData("mwaitx", 0x80000001u, 0u, CpuidRegister.Ecx, 29)]
    [InlineData("syscall", 0x80000001u, 0u, CpuidRegister.Edx, 11)]
    [InlineData("nx", 0x80000001u, 0u, CpuidRegister.Edx, 20)]
    [InlineData("lm", 0x80000001u, 0u, CpuidRegister.Edx, 29)]
    [InlineData("3dnow", 0x80000001u, 0u, CpuidRegister.Edx, 31)]
    [InlineData("invtsc", 0x80000007u, 0u, CpuidRegister.Edx, 8)]
    [InlineData("wbnoinvd", 0x80000008u, 0u, CpuidRegister.Ebx, 9)]
    [InlineData("amd-stibp", 0x80000008u, 0u, CpuidRegister.Ebx, 15)]
    [InlineData("btc-no", 0x80000008u, 0u, CpuidRegister.Ebx, 29)]
    [InlineData("auto-ibrs", 0x80000021u, 0u, CpuidRegister.Eax, 8)]
    [InlineData("srso-user-kernel-no", 0x80000021u, 0u, CpuidRegister.Eax, 30)]
    [InlineData("kvm-pv-ipi", 0x40000001u, 0u, CpuidRegister.Eax, 11)]
    [InlineData("kvmclock-stable-bit", 0x40000001u, 0u, CpuidRegister.Eax, 24)]
    public void Features_are_where_the_manuals_put_them(
        string name, uint function, uint index, CpuidRegister register, int bit)
    {
        Assert.True(CpuFeatures.TryFind(name, out CpuFeature feature));
        Assert.Equal(new CpuFeature(name, new(function, index, register), 1u << bit), feature);
    }

    [Theory]
    [InlineData("sse3", "pni")]
    [InlineData("SSE4_1", "sse4.1")]
    [InlineData("sse4-1", "sse4.1")]
    [InlineData("sse41", "sse4.1")]
    [InlineData("lahf_lm", "lahf-lm")]
    [InlineData("avx512_vbmi2", "avx512vbmi2")]
    [InlineData("avx512_vpopcntdq", "avx512-vpopcntdq")]
    [InlineData("tsc_deadline_timer", "tsc-deadline")]
    [InlineData("cr8_legacy", "cr8legacy")]
    [InlineData("sgx_lc", "sgxlc")]
    [InlineData("nonstop_tsc", "invtsc")]
    [InlineData("i64", "lm")]
    [InlineData("xd", "nx")]
    [InlineData("lzcnt", "abm")]
    [InlineData("kvm_asyncpf", "kvm-asyncpf")]
    public void Other_spellings_find_the_feature_by_its_canonical_name(string spelling, string name)
    {
        Assert.True(CpuFeatures.TryFind(spelling, out CpuFeature feature));
        Assert.Equal(name, feature.Name);
    }

    [Theory]
    [InlineData("avx22", "no CPU feature is called 'avx22'; did you mean avx2?")]
    [InlineData("popcount", "no CPU feature is called 'popcount'; did you mean popcnt?")]
    [InlineData("warp-drive", "no CPU feature is called 'warp-drive'")]
    public void A_name_that_is_none_gets_the_closest_one(string name, string expected)
    {
        Assert.False(CpuFeatures.TryFind(name, out _));
        Assert.Equal(expected, CpuFeatures.Unknown(name));
    }
}
