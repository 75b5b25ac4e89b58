namespace MiniVmm.Memory;

/// <summary>Returns pages of guest RAM to the host; the guest's next access finds new ones, zeroed.</summary>
internal interface IPageRelease
{
    /// <summary>Bytes of the smallest piece that can be returned, a power of two: 4 KiB, or a huge page.</summary>
    ulong ReleaseUnit { get; }

    /// <summary>Returns whole pieces. Any thread, while the guest runs.</summary>
    /// <param name="address">Host virtual address, a multiple of <see cref="ReleaseUnit"/>.</param>
    /// <param name="length">Bytes, also a multiple of it.</param>
    /// <param name="error">The errno if the result is false: the bytes are unchanged then.</param>
    bool TryRelease(nint address, ulong length, out int error);
}
