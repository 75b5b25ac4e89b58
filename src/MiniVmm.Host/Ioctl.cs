namespace MiniVmm.Host;

/// <summary>
/// Request numbers put together as &lt;asm-generic/ioctl.h&gt; does: direction in bits 31–30, size of the
/// argument in 29–16, type in 15–8, number in 7–0. Read and write are from user space's side.
/// </summary>
public static unsafe class Ioctl
{
    /// <summary>Largest argument that a request number can tell the size of: 14 bits.</summary>
    public const uint MaxSize = (1u << 14) - 1;

    private const uint Write = 1u << 30;
    private const uint Read = 2u << 30;

    /// <summary>A request whose argument is a number or nothing.</summary>
    public static uint IO(byte type, byte nr) => Number(0, type, nr, 0);

    /// <summary>A request that fills in a <typeparamref name="T"/>.</summary>
    public static uint IOR<T>(byte type, byte nr)
        where T : unmanaged => IOR(type, nr, (uint)sizeof(T));

    /// <summary>A request that takes a <typeparamref name="T"/>.</summary>
    public static uint IOW<T>(byte type, byte nr)
        where T : unmanaged => IOW(type, nr, (uint)sizeof(T));

    /// <summary>A request that takes a <typeparamref name="T"/> and changes it.</summary>
    public static uint IOWR<T>(byte type, byte nr)
        where T : unmanaged => IOWR(type, nr, (uint)sizeof(T));

    /// <summary>As <see cref="IOR{T}"/>, for <paramref name="size"/> bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">More than <see cref="MaxSize"/> bytes.</exception>
    public static uint IOR(byte type, byte nr, uint size) => Number(Read, type, nr, size);

    /// <summary>As <see cref="IOW{T}"/>, for <paramref name="size"/> bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">More than <see cref="MaxSize"/> bytes.</exception>
    public static uint IOW(byte type, byte nr, uint size) => Number(Write, type, nr, size);

    /// <summary>As <see cref="IOWR{T}"/>, for <paramref name="size"/> bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">More than <see cref="MaxSize"/> bytes.</exception>
    public static uint IOWR(byte type, byte nr, uint size) => Number(Read | Write, type, nr, size);

    private static uint Number(uint direction, byte type, byte nr, uint size)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, MaxSize);
        return direction | size << 16 | (uint)type << 8 | nr;
    }
}
