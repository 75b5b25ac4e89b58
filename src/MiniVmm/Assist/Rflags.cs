namespace MiniVmm.Assist;

/// <summary>Bits of RFLAGS (SDM vol. 1, 3.4.3).</summary>
internal static class Rflags
{
    public const ulong Carry = 1;
    public const ulong Parity = 1 << 2;
    public const ulong Adjust = 1 << 4;
    public const ulong Zero = 1 << 6;
    public const ulong Sign = 1 << 7;
    public const ulong Overflow = 1 << 11;

    /// <summary>RF: no instruction breakpoint on the next instruction.</summary>
    public const ulong Resume = 1 << 16;

    /// <summary>The flags of arithmetic.</summary>
    public const ulong Status = Carry | Parity | Adjust | Zero | Sign | Overflow;

    /// <summary>Gives some flags new values, and leaves the others.</summary>
    public static void Assign(ref ulong flags, ulong which, ulong values) => flags = flags & ~which | values;
}
