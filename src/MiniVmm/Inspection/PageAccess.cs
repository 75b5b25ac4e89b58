namespace MiniVmm.Inspection;

/// <summary>What an instruction does with a page; bits as in a page fault's error code (SDM vol. 3, 5.7).</summary>
[Flags]
internal enum PageAccess
{
    /// <summary>A supervisor reads.</summary>
    Read = 0,
    Write = 1 << 1,

    /// <summary>At CPL 3; not what the processor reads for itself, such as a descriptor.</summary>
    User = 1 << 2,
    Fetch = 1 << 4,
}
