using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Inspection;

/// <summary>A vCPU that stands still, and guest memory as it sees it by its own page tables. Pure: no KVM is asked.</summary>
/// <param name="regs">General registers.</param>
/// <param name="sregs">Segments and control registers.</param>
/// <param name="memory">Guest RAM.</param>
internal sealed class GuestView(kvm_regs regs, kvm_sregs sregs, GuestMemory memory)
{
    private const int PageBytes = 4096;

    private readonly kvm_regs _regs = regs;
    private readonly kvm_sregs _sregs = sregs;

    /// <inheritdoc cref="PagingState.PhysicalBits"/>
    public int PhysicalBits { get; init; } = 52;

    public ref readonly kvm_regs Regs => ref _regs;

    public ref readonly kvm_sregs Sregs => ref _sregs;

    public GuestMemory Memory { get; } = memory;

    public PagingState Paging => PagingState.Of(_regs, _sregs) with { PhysicalBits = PhysicalBits };

    /// <summary>0 in real mode, 3 in virtual-8086 mode.</summary>
    public int Cpl => !IsProtected ? 0 : IsVirtual8086 ? 3 : _sregs.ss.dpl;

    public bool IsProtected => (_sregs.cr0 & ControlBits.Cr0Pe) != 0;

    public bool IsVirtual8086 => IsProtected && (_regs.rflags & ControlBits.RflagsVm) != 0;

    /// <summary>Whether gates have 16 bytes: IA-32e mode, compatibility mode too.</summary>
    public bool IsLongMode => (_sregs.efer & ControlBits.EferLma) != 0;

    /// <summary>Whether it runs 64-bit code.</summary>
    public bool Is64Bit => IsLongMode && _sregs.cs.l != 0;

    /// <summary>16, 32 or 64: how code at CS is decoded.</summary>
    public int CodeBits => Is64Bit ? 64 : _sregs.cs.db != 0 ? 32 : 16;

    /// <summary>Linear address of the instruction.</summary>
    public ulong Rip => Linear(_sregs.cs, _regs.rip);

    /// <summary>The linear address of an offset in a segment; bases of FS and GS count in 64-bit code too.</summary>
    public ulong Linear(in kvm_segment segment, ulong offset, bool keepsBase = false) =>
        Is64Bit ? keepsBase ? segment.@base + offset : offset : segment.@base + offset & uint.MaxValue;

    /// <summary>Where an access at CPL goes, or stops.</summary>
    public PageWalk Walk(ulong linear) => PageWalk.Of(linear, Paging, Memory);

    /// <summary>Bytes at a linear address, whoever may read them; fewer where mapping or RAM ends.</summary>
    public byte[] Read(ulong linear, int count)
    {
        byte[] bytes = new byte[count];
        int read = 0;
        while (read < count)
        {
            int run = Math.Min(count - read, PageBytes - (int)(linear % PageBytes));
            PageWalk walk = Walk(linear);
            if (walk.End != PageWalkEnd.Mapped || !Memory.TryGetSpan(walk.Physical, run, out Span<byte> span))
                break;
            span.CopyTo(bytes.AsSpan(read));
            read += run;
            linear += (ulong)run;
        }

        return bytes[..read];
    }

    /// <summary>A little-endian value of so many bytes, 1 to 8; null if any of it is not mapped to RAM.</summary>
    public ulong? ReadValue(ulong linear, int size)
    {
        byte[] bytes = Read(linear, size);
        if (bytes.Length < size)
            return null;
        ulong value = 0;
        for (int i = size - 1; i >= 0; i--)
            value = value << 8 | bytes[i];
        return value;
    }
}
