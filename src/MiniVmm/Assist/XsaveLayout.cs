using System.Numerics;
using MiniVmm.Kvm;

namespace MiniVmm.Assist;

/// <summary>Where XSAVE puts each component of a processor's state (SDM vol. 1, 13.4; CPUID leaf 0xd).</summary>
internal sealed class XsaveLayout
{
    /// <summary>Bytes of the legacy region and the header, where components 2 and up start.</summary>
    public const int Start = 576;

    public const int HeaderAt = 512;
    private const uint Leaf = 0xd;
    private const int Most = 63;
    private readonly (int Offset, int Size, bool IsAligned)[] _components = new (int, int, bool)[Most];

    /// <param name="leaves">The processor's CPUID.</param>
    public XsaveLayout(ReadOnlySpan<kvm_cpuid_entry2> leaves)
    {
        foreach (ref readonly kvm_cpuid_entry2 leaf in leaves)
        {
            if (leaf.function == Leaf && leaf.index is >= 2 and < Most && leaf.eax is > 0 and <= ushort.MaxValue
                && leaf.ebx <= ushort.MaxValue)
            {
                _components[leaf.index] = ((int)leaf.ebx, (int)leaf.eax, (leaf.ecx & 2) != 0);
            }
        }
    }

    /// <summary>Where a component of 2 and up lies in the standard format; of size 0 if there is none.</summary>
    public (int Offset, int Size) Standard(int component) => (_components[component].Offset, _components[component].Size);

    /// <summary>Where it lies in the compacted format.</summary>
    /// <param name="component">One of <paramref name="present"/>, or 63 for the end of all.</param>
    /// <param name="present">XCOMP_BV without bit 63.</param>
    public int Compacted(int component, ulong present)
    {
        int at = Start;
        for (ulong left = present & ~3UL; left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            if (i >= Most)
                break;
            if (_components[i].IsAligned)
                at = at + 63 & ~63;
            if (i == component)
                return at;
            at += _components[i].Size;
        }

        return at;
    }

    /// <summary>Whether the size of each of these is known, and an image of <paramref name="size"/> bytes has room for it.</summary>
    public bool Knows(ulong components, int size)
    {
        for (ulong left = components & ~3UL; left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            if (i >= Most || _components[i].Size == 0 || _components[i].Offset < Start
                || _components[i].Offset + _components[i].Size > size)
                return false;
        }

        return true;
    }
}
