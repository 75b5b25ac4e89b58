namespace MiniVmm.Ide;

/// <summary>The status register (ATA/ATAPI-6, 7.15).</summary>
[Flags]
internal enum AtaStatus : byte
{
    None = 0,

    /// <summary>ERR, or CHK of a packet device: the error register says what.</summary>
    Error = 1 << 0,

    /// <summary>DRQ: a block of data waits at the data port, or is wanted there.</summary>
    DataRequest = 1 << 3,

    /// <summary>What was called seek complete, and old drivers wait for.</summary>
    SeekComplete = 1 << 4,

    /// <summary>DRDY.</summary>
    Ready = 1 << 6,

    /// <summary>BSY: no other register means anything.</summary>
    Busy = 1 << 7,
}

/// <summary>The error register (7.9).</summary>
[Flags]
internal enum AtaError : byte
{
    None = 0,

    /// <summary>After a reset: the diagnostic passed.</summary>
    Passed = 1 << 0,

    /// <summary>ABRT: no such command, or not so.</summary>
    Aborted = 1 << 2,

    /// <summary>IDNF: no such sector.</summary>
    NotFound = 1 << 4,

    /// <summary>UNC: the sector cannot be read.</summary>
    Uncorrectable = 1 << 6,
}

/// <summary>What a drive waits for.</summary>
internal enum DrivePhase
{
    /// <summary>A command.</summary>
    Idle,

    /// <summary>The guest, to read a block at the data port.</summary>
    DataIn,

    /// <summary>The guest, to write a block there.</summary>
    DataOut,

    /// <summary>The guest, to write a packet there.</summary>
    Packet,

    /// <summary>The guest, to start the bus master.</summary>
    Dma,

    /// <summary>The channel's thread.</summary>
    Work,
}

/// <summary>What the channel's thread is to do for a drive.</summary>
internal enum DriveWork
{
    None,

    /// <summary>Fill the buffer from the image.</summary>
    Read,

    /// <summary>Write the buffer to the image.</summary>
    Write,

    Flush,

    /// <summary>Take all of a command's data from the image, or from the buffer, to guest RAM.</summary>
    DmaIn,

    /// <summary>Take all of it from guest RAM to the image.</summary>
    DmaOut,
}
