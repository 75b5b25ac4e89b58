using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using MiniVmm.Kvm;

namespace MiniVmm.Assist;

/// <summary>The instructions that a guest's CPUID offers, of those that the assist knows.</summary>
[Flags]
internal enum AssistFeatures : ulong
{
    None = 0,
    Sse = 1UL << 0,
    Clflush = 1UL << 1,
    Popcnt = 1UL << 2,
    Sse42 = 1UL << 3,
    Movbe = 1UL << 4,
    Cmpxchg16b = 1UL << 5,
    Xsave = 1UL << 6,
    Rdrand = 1UL << 7,
    Lzcnt = 1UL << 8,
    Rdtscp = 1UL << 9,
    Fsgsbase = 1UL << 10,
    Bmi1 = 1UL << 11,
    Bmi2 = 1UL << 12,
    Adx = 1UL << 13,
    Smap = 1UL << 14,
    Rdseed = 1UL << 15,
    Clflushopt = 1UL << 16,
    Clwb = 1UL << 17,
    Invpcid = 1UL << 18,
    Rdpid = 1UL << 19,
    Xsaveopt = 1UL << 20,
    Xsavec = 1UL << 21,
    Xsaves = 1UL << 22,
    Fpu = 1UL << 23,
    Pku = 1UL << 24,
    Xgetbv1 = 1UL << 25,
    Sse2 = 1UL << 26,
    Sse3 = 1UL << 27,
    Pclmulqdq = 1UL << 28,
    Ssse3 = 1UL << 29,
    Fma = 1UL << 30,
    Sse41 = 1UL << 31,
    Aes = 1UL << 32,
    Avx = 1UL << 33,
    F16c = 1UL << 34,
    Avx2 = 1UL << 35,
    Avx512F = 1UL << 36,
    Avx512Dq = 1UL << 37,
    Avx512Ifma = 1UL << 38,
    Avx512Cd = 1UL << 39,
    Sha = 1UL << 40,
    Avx512Bw = 1UL << 41,
    Avx512Vl = 1UL << 42,
    Avx512Vbmi = 1UL << 43,
    Avx512Vbmi2 = 1UL << 44,
    Gfni = 1UL << 45,
    Vaes = 1UL << 46,
    Vpclmulqdq = 1UL << 47,
    Avx512Vnni = 1UL << 48,
    Avx512Bitalg = 1UL << 49,
    Avx512Vpopcntdq = 1UL << 50,
}

/// <summary>Reads <see cref="AssistFeatures"/> from CPUID's leaves (SDM vol. 2, CPUID; APM vol. 3, appendix E).</summary>
internal static class AssistFeatureBits
{
    private const uint Extended = 0x8000_0001;
    private const uint AddressSizes = 0x8000_0008;
    private const int WidestPhysicalAddress = 52;

    private static ReadOnlySpan<(uint Leaf, uint Subleaf, char Register, int Bit, AssistFeatures Feature)> Bits => new[]
    {
        (1u, 0u, 'd', 0, AssistFeatures.Fpu),
        (1u, 0u, 'd', 19, AssistFeatures.Clflush),
        (1u, 0u, 'd', 25, AssistFeatures.Sse),
        (1u, 0u, 'c', 13, AssistFeatures.Cmpxchg16b),
        (1u, 0u, 'c', 20, AssistFeatures.Sse42),
        (1u, 0u, 'c', 22, AssistFeatures.Movbe),
        (1u, 0u, 'c', 23, AssistFeatures.Popcnt),
        (1u, 0u, 'c', 26, AssistFeatures.Xsave),
        (1u, 0u, 'c', 30, AssistFeatures.Rdrand),
        (7u, 0u, 'b', 0, AssistFeatures.Fsgsbase),
        (7u, 0u, 'b', 3, AssistFeatures.Bmi1),
        (7u, 0u, 'b', 8, AssistFeatures.Bmi2),
        (7u, 0u, 'b', 10, AssistFeatures.Invpcid),
        (7u, 0u, 'b', 18, AssistFeatures.Rdseed),
        (7u, 0u, 'b', 19, AssistFeatures.Adx),
        (7u, 0u, 'b', 20, AssistFeatures.Smap),
        (7u, 0u, 'b', 23, AssistFeatures.Clflushopt),
        (7u, 0u, 'b', 24, AssistFeatures.Clwb),
        (7u, 0u, 'c', 3, AssistFeatures.Pku),
        (7u, 0u, 'c', 22, AssistFeatures.Rdpid),
        (1u, 0u, 'd', 26, AssistFeatures.Sse2),
        (1u, 0u, 'c', 0, AssistFeatures.Sse3),
        (1u, 0u, 'c', 1, AssistFeatures.Pclmulqdq),
        (1u, 0u, 'c', 9, AssistFeatures.Ssse3),
        (1u, 0u, 'c', 12, AssistFeatures.Fma),
        (1u, 0u, 'c', 19, AssistFeatures.Sse41),
        (1u, 0u, 'c', 25, AssistFeatures.Aes),
        (1u, 0u, 'c', 28, AssistFeatures.Avx),
        (1u, 0u, 'c', 29, AssistFeatures.F16c),
        (7u, 0u, 'b', 5, AssistFeatures.Avx2),
        (7u, 0u, 'b', 16, AssistFeatures.Avx512F),
        (7u, 0u, 'b', 17, AssistFeatures.Avx512Dq),
        (7u, 0u, 'b', 21, AssistFeatures.Avx512Ifma),
        (7u, 0u, 'b', 28, AssistFeatures.Avx512Cd),
        (7u, 0u, 'b', 29, AssistFeatures.Sha),
        (7u, 0u, 'b', 30, AssistFeatures.Avx512Bw),
        (7u, 0u, 'b', 31, AssistFeatures.Avx512Vl),
        (7u, 0u, 'c', 1, AssistFeatures.Avx512Vbmi),
        (7u, 0u, 'c', 6, AssistFeatures.Avx512Vbmi2),
        (7u, 0u, 'c', 8, AssistFeatures.Gfni),
        (7u, 0u, 'c', 9, AssistFeatures.Vaes),
        (7u, 0u, 'c', 10, AssistFeatures.Vpclmulqdq),
        (7u, 0u, 'c', 11, AssistFeatures.Avx512Vnni),
        (7u, 0u, 'c', 12, AssistFeatures.Avx512Bitalg),
        (7u, 0u, 'c', 14, AssistFeatures.Avx512Vpopcntdq),
        (0xdu, 1u, 'a', 0, AssistFeatures.Xsaveopt),
        (0xdu, 1u, 'a', 1, AssistFeatures.Xsavec),
        (0xdu, 1u, 'a', 2, AssistFeatures.Xgetbv1),
        (0xdu, 1u, 'a', 3, AssistFeatures.Xsaves),
        (Extended, 0u, 'c', 5, AssistFeatures.Lzcnt),
        (Extended, 0u, 'd', 27, AssistFeatures.Rdtscp),
    };

    /// <summary>What a table offers.</summary>
    public static AssistFeatures Of(ReadOnlySpan<kvm_cpuid_entry2> leaves)
    {
        AssistFeatures features = AssistFeatures.None;
        foreach (ref readonly kvm_cpuid_entry2 leaf in leaves)
        {
            foreach ((uint function, uint subleaf, char register, int bit, AssistFeatures feature) in Bits)
            {
                if (leaf.function != function || leaf.index != subleaf)
                    continue;
                uint value = register switch { 'a' => leaf.eax, 'b' => leaf.ebx, 'c' => leaf.ecx, _ => leaf.edx };
                if ((value >> bit & 1) != 0)
                    features |= feature;
            }
        }

        return features;
    }

    /// <summary>Bits of a physical address, 32 to 52: more in a page-table entry are reserved.</summary>
    public static int PhysicalBits(ReadOnlySpan<kvm_cpuid_entry2> leaves)
    {
        foreach (ref readonly kvm_cpuid_entry2 leaf in leaves)
        {
            if (leaf.function == AddressSizes)
                return Math.Clamp((int)(leaf.eax & 0xff), 32, WidestPhysicalAddress);
        }

        return WidestPhysicalAddress;
    }

    /// <summary>What the host's processor has, of leaves 1 and 7: vectors are there.</summary>
    public static AssistFeatures OfHost()
    {
        AssistFeatures features = AssistFeatures.None;
        if (!X86Base.IsSupported)
            return features;
        foreach ((uint function, uint subleaf, char register, int bit, AssistFeatures feature) in Bits)
        {
            if (function is not (1 or 7) || function > (uint)X86Base.CpuId(0, 0).Eax)
                continue;
            (int eax, int ebx, int ecx, int edx) = X86Base.CpuId((int)function, (int)subleaf);
            int value = register switch { 'a' => eax, 'b' => ebx, 'c' => ecx, _ => edx };
            if ((value >> bit & 1) != 0)
                features |= feature;
        }

        return features;
    }

    /// <summary>What an instruction of vectors needs, by the disassembler's name for it; null for what is not known here.</summary>
    public static AssistFeatures? OfVector(CpuidFeature feature) => feature switch
    {
        CpuidFeature.SSE => AssistFeatures.Sse,
        CpuidFeature.SSE4_2 => AssistFeatures.Sse42,
        CpuidFeature.SSE2 => AssistFeatures.Sse2,
        CpuidFeature.SSE3 => AssistFeatures.Sse3,
        CpuidFeature.PCLMULQDQ => AssistFeatures.Pclmulqdq,
        CpuidFeature.SSSE3 => AssistFeatures.Ssse3,
        CpuidFeature.FMA => AssistFeatures.Fma,
        CpuidFeature.SSE4_1 => AssistFeatures.Sse41,
        CpuidFeature.AES => AssistFeatures.Aes,
        CpuidFeature.AVX => AssistFeatures.Avx,
        CpuidFeature.F16C => AssistFeatures.F16c,
        CpuidFeature.AVX2 => AssistFeatures.Avx2,
        CpuidFeature.AVX512F => AssistFeatures.Avx512F,
        CpuidFeature.AVX512DQ => AssistFeatures.Avx512Dq,
        CpuidFeature.AVX512_IFMA => AssistFeatures.Avx512Ifma,
        CpuidFeature.AVX512CD => AssistFeatures.Avx512Cd,
        CpuidFeature.SHA => AssistFeatures.Sha,
        CpuidFeature.AVX512BW => AssistFeatures.Avx512Bw,
        CpuidFeature.AVX512VL => AssistFeatures.Avx512Vl,
        CpuidFeature.AVX512_VBMI => AssistFeatures.Avx512Vbmi,
        CpuidFeature.AVX512_VBMI2 => AssistFeatures.Avx512Vbmi2,
        CpuidFeature.GFNI => AssistFeatures.Gfni,
        CpuidFeature.VAES => AssistFeatures.Vaes,
        CpuidFeature.VPCLMULQDQ => AssistFeatures.Vpclmulqdq,
        CpuidFeature.AVX512_VNNI => AssistFeatures.Avx512Vnni,
        CpuidFeature.AVX512_BITALG => AssistFeatures.Avx512Bitalg,
        CpuidFeature.AVX512_VPOPCNTDQ => AssistFeatures.Avx512Vpopcntdq,
        _ => null,
    };
}
