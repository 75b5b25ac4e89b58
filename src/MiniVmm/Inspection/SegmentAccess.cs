using MiniVmm.Kvm;

namespace MiniVmm.Inspection;

/// <summary>Why a segment does not take an access; each is #SS for SS and #GP for the others.</summary>
internal enum SegmentProblem
{
    None,

    /// <summary>The null selector is loaded, or what was loaded is not present.</summary>
    Null,

    /// <summary>A write to code, or to read-only data.</summary>
    NotWritable,

    /// <summary>A read of execute-only code.</summary>
    NotReadable,
    Limit,
}

/// <summary>The checks of a segment outside of 64-bit code (SDM vol. 3, 5.3 to 5.5). Allocates nothing.</summary>
internal static class SegmentAccess
{
    private const byte Code = 8, ExpandsDown = 4, Accessible = 2; // writable data, readable code

    /// <summary>Checks.</summary>
    /// <param name="segment">What is cached of its descriptor.</param>
    /// <param name="offset">Of the first byte; at most 32 bits.</param>
    /// <param name="size">Bytes.</param>
    /// <param name="write">Whether they are written.</param>
    /// <param name="hasTypes">False in real and virtual-8086 mode, where there is a limit alone.</param>
    public static SegmentProblem Check(in kvm_segment segment, ulong offset, int size, bool write, bool hasTypes)
    {
        ulong last = offset + (uint)size - 1;
        if (!hasTypes)
            return last <= segment.limit ? SegmentProblem.None : SegmentProblem.Limit;
        if (segment.unusable != 0 || segment.present == 0)
            return SegmentProblem.Null;
        bool isCode = (segment.type & Code) != 0;
        bool isAccessible = (segment.type & Accessible) != 0;
        if (write && (isCode || !isAccessible))
            return SegmentProblem.NotWritable;
        if (!write && isCode && !isAccessible)
            return SegmentProblem.NotReadable;
        bool isInside = isCode || (segment.type & ExpandsDown) == 0
            ? last <= segment.limit
            : offset > segment.limit && last <= (segment.db != 0 ? uint.MaxValue : ushort.MaxValue);
        return isInside ? SegmentProblem.None : SegmentProblem.Limit;
    }
}
