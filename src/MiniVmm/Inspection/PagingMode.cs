namespace MiniVmm.Inspection;

/// <summary>How linear addresses become physical ones (SDM vol. 3, 5.1.1).</summary>
internal enum PagingMode
{
    /// <summary>CR0.PG = 0: they are the same.</summary>
    None,

    /// <summary>32-bit paging: two levels of 4-byte entries.</summary>
    TwoLevel,

    /// <summary>PAE paging: three levels, the first one of four entries.</summary>
    Pae,

    /// <summary>4-level paging of IA-32e mode.</summary>
    FourLevel,

    /// <summary>5-level paging of IA-32e mode, CR4.LA57 = 1.</summary>
    FiveLevel,
}
