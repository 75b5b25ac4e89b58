namespace MiniVmm.Devices;

/// <summary>
/// What sits on the port or memory bus. A device knows offsets into its own window, never where the window
/// is, and never KVM. Calls come from any vCPU thread, several at once: each device guards its own state,
/// allocates nothing, and holds no lock across a system call. It must not throw: nobody is there to catch it.
/// </summary>
public interface IBusDevice
{
    /// <summary>
    /// Fills <paramref name="data"/> (1, 2, 4 or 8 bytes, little-endian) from <paramref name="offset"/>.
    /// </summary>
    void Read(ulong offset, Span<byte> data);

    /// <summary>
    /// Takes <paramref name="data"/> (1, 2, 4 or 8 bytes, little-endian) at <paramref name="offset"/>.
    /// </summary>
    void Write(ulong offset, ReadOnlySpan<byte> data);
}
