using System.Numerics;
using Iced.Intel;

namespace MiniVmm.Assist;

/// <summary>
/// Instructions that make one general register, and flags, of others: as SDM vol. 2 says, with the flags that it leaves
/// undefined as they were.
/// </summary>
internal static class BitInstructions
{
    private const uint Castagnoli = 0x82f6_3b78; // 0x1edc6f41 with its bits reversed

    /// <summary>What CPUID must offer; null for an instruction that is not one of these.</summary>
    public static AssistFeatures? Requirement(Mnemonic mnemonic) => mnemonic switch
    {
        Mnemonic.Popcnt => AssistFeatures.Popcnt,
        Mnemonic.Lzcnt => AssistFeatures.Lzcnt,
        Mnemonic.Tzcnt or Mnemonic.Andn or Mnemonic.Bextr or Mnemonic.Blsi or Mnemonic.Blsmsk or Mnemonic.Blsr =>
            AssistFeatures.Bmi1,
        Mnemonic.Bzhi or Mnemonic.Pdep or Mnemonic.Pext or Mnemonic.Rorx or Mnemonic.Sarx or Mnemonic.Shlx
            or Mnemonic.Shrx => AssistFeatures.Bmi2,
        Mnemonic.Adcx or Mnemonic.Adox => AssistFeatures.Adx,
        Mnemonic.Crc32 => AssistFeatures.Sse42,
        _ => null,
    };

    /// <summary>Computes one.</summary>
    /// <param name="mnemonic">Which one; one with a <see cref="Requirement"/>.</param>
    /// <param name="bits">Width of the operation: 16, 32 or 64; of CRC32's source also 8.</param>
    /// <param name="first">The operand behind the destination; of ADCX, ADOX and CRC32 the destination.</param>
    /// <param name="second">The one behind that, 0 where there is none.</param>
    /// <param name="flags">RFLAGS.</param>
    /// <returns>What the destination gets.</returns>
    public static ulong Compute(Mnemonic mnemonic, int bits, ulong first, ulong second, ref ulong flags)
    {
        ulong mask = ulong.MaxValue >> (64 - bits);
        switch (mnemonic)
        {
            case Mnemonic.Popcnt:
                Rflags.Assign(ref flags, Rflags.Status, first == 0 ? Rflags.Zero : 0);
                return (ulong)BitOperations.PopCount(first);
            case Mnemonic.Lzcnt:
                return Counted(BitOperations.LeadingZeroCount(first) - (64 - bits), first, ref flags);
            case Mnemonic.Tzcnt:
                return Counted(first == 0 ? bits : BitOperations.TrailingZeroCount(first), first, ref flags);
            case Mnemonic.Andn:
                return Logical(~first & second & mask, bits, carry: false, ref flags);
            case Mnemonic.Blsi:
                return Logical((0 - first) & first, bits, first != 0, ref flags);
            case Mnemonic.Blsmsk:
                return Logical((first - 1 ^ first) & mask, bits, first == 0, ref flags);
            case Mnemonic.Blsr:
                return Logical(first - 1 & first, bits, first == 0, ref flags);
            case Mnemonic.Bextr:
                return Extracted(first, (int)(second & 0xff), (int)(second >> 8 & 0xff), ref flags);
            case Mnemonic.Bzhi:
                int length = (int)(second & 0xff);
                return Logical(length < bits ? first & Ones(length) : first, bits, length >= bits, ref flags);
            case Mnemonic.Pdep:
                return Deposited(first, second);
            case Mnemonic.Pext:
                return Gathered(first, second);
            case Mnemonic.Rorx:
                int by = (int)second & (bits - 1);
                return bits == 64 ? BitOperations.RotateRight(first, by) : BitOperations.RotateRight((uint)first, by);
            case Mnemonic.Sarx:
                return bits == 64
                    ? (ulong)((long)first >> ((int)second & 63))
                    : (uint)((int)first >> ((int)second & 31));
            case Mnemonic.Shlx:
                return first << ((int)second & (bits - 1)) & mask;
            case Mnemonic.Shrx:
                return first >> ((int)second & (bits - 1));
            case Mnemonic.Adcx:
                return Added(first, second, bits, Rflags.Carry, ref flags);
            case Mnemonic.Adox:
                return Added(first, second, bits, Rflags.Overflow, ref flags);
            case Mnemonic.Crc32:
                return Checksum((uint)first, second, bits);
            default:
                throw new ArgumentOutOfRangeException(nameof(mnemonic), mnemonic, "not one of these");
        }
    }

    private static ulong Ones(int count) => count >= 64 ? ulong.MaxValue : (1UL << count) - 1;

    private static ulong Counted(int count, ulong source, ref ulong flags)
    {
        Rflags.Assign(
            ref flags, Rflags.Carry | Rflags.Zero, (source == 0 ? Rflags.Carry : 0) | (count == 0 ? Rflags.Zero : 0));
        return (ulong)count;
    }

    private static ulong Logical(ulong result, int bits, bool carry, ref ulong flags)
    {
        Rflags.Assign(
            ref flags,
            Rflags.Carry | Rflags.Zero | Rflags.Sign | Rflags.Overflow,
            (carry ? Rflags.Carry : 0) | (result == 0 ? Rflags.Zero : 0)
                | ((result >> (bits - 1) & 1) != 0 ? Rflags.Sign : 0));
        return result;
    }

    private static ulong Extracted(ulong source, int start, int length, ref ulong flags)
    {
        ulong result = start >= 64 ? 0 : source >> start & Ones(length);
        Rflags.Assign(
            ref flags, Rflags.Carry | Rflags.Zero | Rflags.Overflow, result == 0 ? Rflags.Zero : 0);
        return result;
    }

    private static ulong Deposited(ulong source, ulong mask)
    {
        ulong result = 0;
        for (; mask != 0; mask &= mask - 1, source >>= 1)
        {
            if ((source & 1) != 0)
                result |= mask & (0 - mask);
        }

        return result;
    }

    private static ulong Gathered(ulong source, ulong mask)
    {
        ulong result = 0;
        for (int at = 0; mask != 0; mask &= mask - 1, at++)
        {
            if ((source & mask & (0 - mask)) != 0)
                result |= 1UL << at;
        }

        return result;
    }

    private static ulong Added(ulong first, ulong second, int bits, ulong flag, ref ulong flags)
    {
        UInt128 sum = (UInt128)first + second + ((flags & flag) != 0 ? 1u : 0u);
        Rflags.Assign(ref flags, flag, sum >> bits != 0 ? flag : 0);
        return (ulong)sum & ulong.MaxValue >> (64 - bits);
    }

    private static ulong Checksum(uint sum, ulong data, int bits)
    {
        for (int at = 0; at < bits; at++, data >>= 1)
            sum = (sum >> 1) ^ (((sum ^ (uint)data) & 1) != 0 ? Castagnoli : 0);
        return sum;
    }
}
