namespace MiniVmm.Boot;

/// <summary>What a kernel file is.</summary>
public enum BinaryFormat
{
    /// <summary>The file itself says so.</summary>
    Auto,

    /// <summary>Bytes to be loaded as they are and entered in real mode.</summary>
    Flat16,

    /// <summary>Bytes entered in 32-bit protected mode, flat segments, paging off.</summary>
    Flat32,

    /// <summary>Bytes entered in long mode, the first 4 GiB mapped onto themselves.</summary>
    Flat64,
}

/// <summary>What <c>--entry</c> says.</summary>
/// <param name="Text">As it was written: an entry's number or name in a boot menu.</param>
/// <param name="Address">The same as a guest-physical address, for a flat binary; null where it is no number.</param>
public sealed record EntryChoice(string Text, ulong? Address);
