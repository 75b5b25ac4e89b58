using MiniVmm.Assist;
using MiniVmm.Kvm;

namespace MiniVmm.Tests.Assist;

/// <summary>What a guest's CPUID offers of the instructions that the assist knows, leaf by leaf as the manuals have it.</summary>
public sealed class AssistFeaturesTests
{
    [Theory]
    [InlineData(1, 0, 'c', 23, (ulong)AssistFeatures.Popcnt)]
    [InlineData(1, 0, 'c', 13, (ulong)AssistFeatures.Cmpxchg16b)]
    [InlineData(1, 0, 'd', 25, (ulong)AssistFeatures.Sse)]
    [InlineData(7, 0, 'b', 20, (ulong)AssistFeatures.Smap)]
    [InlineData(7, 0, 'b', 31, (ulong)AssistFeatures.Avx512Vl)]
    [InlineData(7, 0, 'c', 8, (ulong)AssistFeatures.Gfni)]
    [InlineData(0xd, 1, 'a', 3, (ulong)AssistFeatures.Xsaves)]
    [InlineData(0x80000001, 0, 'c', 5, (ulong)AssistFeatures.Lzcnt)]
    [InlineData(7, 1, 'b', 20, 0ul)] // another subleaf
    [InlineData(2, 0, 'c', 23, 0ul)]
    public void A_bit_is_one_feature(uint leaf, uint subleaf, char register, int bit, ulong expected)
    {
        kvm_cpuid_entry2 entry = new() { function = leaf, index = subleaf };
        uint value = 1u << bit;
        switch (register)
        {
            case 'a': entry.eax = value; break;
            case 'b': entry.ebx = value; break;
            case 'c': entry.ecx = value; break;
            default: entry.edx = value; break;
        }

        Assert.Equal((AssistFeatures)expected, AssistFeatureBits.Of([entry]));
    }

    [Theory]
    [InlineData(0x3030u, 48)]
    [InlineData(0x3924u, 36)]
    [InlineData(0u, 32)]
    [InlineData(0xffu, 52)]
    public void Physical_addresses_have_the_bits_that_CPUID_says(uint eax, int bits)
    {
        Assert.Equal(bits, AssistFeatureBits.PhysicalBits([new() { function = 0x8000_0008, eax = eax }]));
        Assert.Equal(52, AssistFeatureBits.PhysicalBits([]));
    }
}
