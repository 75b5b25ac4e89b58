using System.Text;

namespace MiniVmm.Gdb;

/// <summary>Reads the fields of a packet from its front.</summary>
/// <param name="payload">The packet.</param>
internal ref struct PacketCursor(ReadOnlySpan<byte> payload)
{
    /// <summary>What has not been read yet.</summary>
    public ReadOnlySpan<byte> Rest { get; private set; } = payload;

    public readonly bool IsAtEnd => Rest.IsEmpty;

    /// <summary>Takes a letter, if it is the next.</summary>
    public bool TryTake(char letter)
    {
        if (Rest.IsEmpty || Rest[0] != letter)
            return false;
        Rest = Rest[1..];
        return true;
    }

    /// <summary>Takes a word, if what is left starts with it.</summary>
    public bool TryTake(ReadOnlySpan<byte> word)
    {
        if (!Rest.StartsWith(word))
            return false;
        Rest = Rest[word.Length..];
        return true;
    }

    /// <summary>Takes what is before a letter, and the letter; all that is left where it does not occur.</summary>
    public ReadOnlySpan<byte> TakeUntil(char letter)
    {
        int at = Rest.IndexOf((byte)letter);
        ReadOnlySpan<byte> taken = at < 0 ? Rest : Rest[..at];
        Rest = at < 0 ? [] : Rest[(at + 1)..];
        return taken;
    }

    /// <summary>Takes a number of one to sixteen hexadecimal digits, the highest first.</summary>
    public bool TryTakeNumber(out ulong value)
    {
        value = 0;
        int digits = 0;
        while (digits < Rest.Length && HexText.Digit(Rest[digits]) is >= 0 and int digit)
        {
            if (value >> 60 != 0)
                return false;
            value = (value << 4) | (uint)digit;
            digits++;
        }

        Rest = Rest[digits..];
        return digits > 0;
    }

    /// <summary>The same, where no more than an <see cref="int"/> makes sense.</summary>
    public bool TryTakeNumber(out int value)
    {
        bool taken = TryTakeNumber(out ulong wide);
        value = (int)Math.Min(wide, int.MaxValue);
        return taken && wide <= int.MaxValue;
    }

    public override readonly string ToString() => Encoding.ASCII.GetString(Rest);
}
