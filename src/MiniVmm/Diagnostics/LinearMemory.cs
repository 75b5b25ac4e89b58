using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Diagnostics;

/// <summary>Guest memory as a vCPU that stands still sees it, by its own page tables.</summary>
internal static class LinearMemory
{
    private const ulong PageSize = 4096;

    /// <summary>The linear address of an offset in a segment.</summary>
    public static ulong Address(kvm_segment segment, in kvm_sregs sregs, ulong offset) =>
        sregs.cs.l != 0 ? offset : (segment.@base + offset) & 0xffff_ffff;

    /// <summary>Bytes at a linear address; fewer where mapping or RAM ends.</summary>
    public static byte[] Read(KvmVcpu vcpu, GuestMemory memory, ulong linear, int count)
    {
        List<byte> bytes = [];
        while (bytes.Count < count)
        {
            ulong at = linear + (ulong)bytes.Count;
            kvm_translation translation = vcpu.Translate(at);
            int run = (int)Math.Min((ulong)(count - bytes.Count), PageSize - at % PageSize);
            if (translation.valid == 0 || !memory.TryGetSpan(translation.physical_address, run, out Span<byte> span))
                break;
            bytes.AddRange(span);
        }

        return [.. bytes];
    }
}
