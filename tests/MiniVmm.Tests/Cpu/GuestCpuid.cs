using System.Numerics;
using MiniVmm.Cpu;

namespace MiniVmm.Tests.Cpu;

/// <summary>
/// CPUID as a guest executes it on one vCPU, and the ways that the manuals give to find out where it sits.
/// Written from the manuals alone, to check the builder against.
/// </summary>
internal sealed class GuestCpuid(CpuidLeaf[] leaves)
{
    public CpuidLeaf Leaf(uint eax, uint ecx = 0)
    {
        CpuidLeaf[] found = [.. leaves.Where(l => l.Function == eax && (!l.IndexIsSignificant || l.Index == ecx))];
        return found.Length switch
        {
            0 => default,
            1 => found[0],
            _ => throw new InvalidOperationException($"leaf {eax:x}.{ecx} is there {found.Length} times"),
        };
    }

    public string Vendor => Text(Leaf(0).Ebx, Leaf(0).Edx, Leaf(0).Ecx);

    public string Brand => string.Concat(
        Enumerable.Range(0, 3)
            .Select(i => Leaf(0x80000002 + (uint)i))
            .Select(l => Text(l.Eax, l.Ebx, l.Ecx, l.Edx))).TrimEnd('\0');

    public bool Has(string feature)
    {
        CpuFeature found = CpuFeatures.Find(feature);
        return (Leaf(found.Word.Function, found.Word.Index)[found.Word.Register] & found.Mask) != 0;
    }

    /// <summary>SDM vol. 3A 10.9.5, "legacy sub-fields parsing": leaf 1 and leaf 4.</summary>
    public (int Socket, int Core, int Thread) IntelLegacy()
    {
        uint apicId = Leaf(1).Ebx >> 24;
        if ((Leaf(1).Edx >> 28 & 1) == 0)
            return ((int)apicId, 0, 0);
        uint logical = BitOperations.RoundUpToPowerOf2(Leaf(1).Ebx >> 16 & 0xFF);
        uint cores = BitOperations.RoundUpToPowerOf2((Leaf(4).Eax >> 26) + 1);
        int smtWidth = BitOperations.Log2(logical / cores);
        return Split(apicId, smtWidth, smtWidth + BitOperations.Log2(cores));
    }

    /// <summary>SDM vol. 3A 10.9.5, extended topology leaves: walk the levels until an invalid one.</summary>
    public (int Socket, int Core, int Thread) Extended(uint leaf)
    {
        int smtShift = 0;
        int coreShift = 0;
        uint apicId = Leaf(leaf).Edx;
        for (uint index = 0; ; index++)
        {
            CpuidLeaf level = Leaf(leaf, index);
            Assert.Equal(index, level.Ecx & 0xFF);
            Assert.Equal(apicId, level.Edx);
            uint type = level.Ecx >> 8 & 0xFF;
            if (type == 0)
            {
                Assert.Equal(0u, level.Ebx);
                return Split(apicId, smtShift, coreShift);
            }

            Assert.NotEqual(0u, level.Ebx & 0xFFFF);
            if (type == 1)
                smtShift = (int)(level.Eax & 0x1F);
            coreShift = (int)(level.Eax & 0x1F);
        }
    }

    /// <summary>APM vol. 3 E.5: sizes from 0x80000008, ids from 0x8000001E.</summary>
    public (int Socket, int Core, int Thread) Amd()
    {
        Assert.True(Has("topoext"));
        CpuidLeaf ids = Leaf(0x8000001E);
        int threads = (int)(ids.Ebx >> 8 & 0xFF) + 1;
        int threadBits = threads == 1 ? 0 : BitOperations.Log2((uint)threads - 1) + 1;
        (int socket, int core, int thread) = Split(ids.Eax, threadBits, AmdApicIdSize());
        Assert.Equal(core & 0xFF, (int)(ids.Ebx & 0xFF));
        Assert.Equal(socket & 0xFF, (int)(ids.Ecx & 0xFF));
        return (socket, core, thread);
    }

    /// <summary>APM vol. 3 E.5.2, legacy method: the low ApicIdSize bits number the processor in its package.</summary>
    public (int Socket, int Processor) AmdLegacy()
    {
        uint apicId = Leaf(1).Ebx >> 24;
        int size = AmdApicIdSize();
        return ((int)(apicId >> size), (int)(apicId & ((1u << size) - 1)));
    }

    /// <summary>The APIC ids that share the cache have this in common, of leaf 4 or 0x8000001D.</summary>
    public uint CacheId(uint leaf, uint index)
    {
        uint sharing = BitOperations.RoundUpToPowerOf2((Leaf(leaf, index).Eax >> 14 & 0xFFF) + 1);
        return Leaf(0xB).Edx >> BitOperations.Log2(sharing);
    }

    private int AmdApicIdSize()
    {
        uint ecx = Leaf(0x80000008).Ecx;
        int size = (int)(ecx >> 12 & 0xF);
        return size != 0 ? size : BitOperations.Log2(BitOperations.RoundUpToPowerOf2((ecx & 0xFF) + 1));
    }

    private static (int Socket, int Core, int Thread) Split(uint apicId, int smtShift, int coreShift) =>
        ((int)(apicId >> coreShift),
            (int)(apicId >> smtShift & ((1u << (coreShift - smtShift)) - 1)),
            (int)(apicId & ((1u << smtShift) - 1)));

    private static string Text(params uint[] words) =>
        string.Concat(words.SelectMany(BitConverter.GetBytes).Select(b => (char)b));
}
