namespace MiniVmm.Memory;

/// <summary>Gives the host back pages behind guest RAM; the guest's next access finds new ones, zeroed.</summary>
public interface IPageRelease
{
    /// <summary>Bytes of the smallest piece that can be given back, a power of two: 4 KiB, or a huge page.</summary>
    ulong ReleaseUnit { get; }

    /// <summary>Gives back whole pieces. Any thread, while the guest runs.</summary>
    /// <param name="address">Host virtual address, a multiple of <see cref="ReleaseUnit"/>.</param>
    /// <param name="length">Bytes, also a multiple of it.</param>
    /// <param name="error">The errno where the answer is false: the bytes are as they were.</param>
    bool TryRelease(nint address, ulong length, out int error);
}
