namespace MiniVmm.Gdb;

/// <summary>What came from gdb.</summary>
internal enum GdbInput
{
    /// <summary>The rest is still to come.</summary>
    Incomplete,

    /// <summary>A byte that means nothing between packets.</summary>
    Noise,

    /// <summary>The last packet arrived.</summary>
    Acknowledged,

    /// <summary>The last packet is to be sent again.</summary>
    Refused,

    /// <summary>Ctrl-C.</summary>
    Interrupt,

    /// <summary>A packet, whole.</summary>
    Packet,

    /// <summary>A packet with a wrong checksum, or with more in it than any packet may have.</summary>
    Damaged,
}

/// <summary>
/// Packets of gdb's remote serial protocol as bytes on the wire: <c>$</c>, the payload, <c>#</c> and two hexadecimal digits of
/// checksum (GDB manual, "Remote Protocol: Overview"). Pure.
/// </summary>
internal static class GdbFraming
{
    /// <summary>Most bytes of a payload, in either direction; what <c>PacketSize</c> tells gdb.</summary>
    public const int MostPayload = 0x4000;

    /// <summary>Most bytes of a frame: each byte of the payload may be escaped.</summary>
    public const int MostFrame = (2 * MostPayload) + 4;

    private const byte Escape = (byte)'}';
    private const byte EscapeBit = 0x20;
    private const byte InterruptCode = 3;

    /// <summary>
    /// Takes the first thing from what has come. Of <see cref="MostFrame"/> bytes or more it always takes some: none that a frame
    /// may have are missing then.
    /// </summary>
    /// <param name="input">What has come.</param>
    /// <param name="payload">Gets a packet's payload, without escapes; <see cref="MostPayload"/> bytes.</param>
    /// <param name="consumed">How much of the input that was.</param>
    /// <param name="length">Length of the payload of a <see cref="GdbInput.Packet"/>.</param>
    public static GdbInput Read(ReadOnlySpan<byte> input, Span<byte> payload, out int consumed, out int length)
    {
        (consumed, length) = (0, 0);
        if (input.IsEmpty)
            return GdbInput.Incomplete;
        if (input[0] != '$')
        {
            consumed = 1;
            return input[0] switch
            {
                (byte)'+' => GdbInput.Acknowledged,
                (byte)'-' => GdbInput.Refused,
                InterruptCode => GdbInput.Interrupt,
                _ => GdbInput.Noise,
            };
        }

        int end = input.IndexOf((byte)'#');
        int frame = end < 0 ? input.Length + 1 : end + 3; // or more
        if (frame > MostFrame)
        {
            consumed = Math.Min(frame, input.Length); // what is left of it means nothing
            return GdbInput.Damaged;
        }

        if (input.Length < frame)
            return GdbInput.Incomplete;
        consumed = frame;
        ReadOnlySpan<byte> body = input[1..end];
        return HexText.TryParseByte(input[(end + 1)..], out byte checksum) && checksum == Sum(body)
            && TryUnescape(body, payload, out length)
            ? GdbInput.Packet
            : GdbInput.Damaged;
    }

    /// <summary>Frames a payload.</summary>
    /// <param name="payload">Up to <see cref="MostPayload"/> bytes, of any value.</param>
    /// <param name="frame">Gets the frame; <see cref="MostFrame"/> bytes.</param>
    /// <returns>The frame's length.</returns>
    public static int Write(ReadOnlySpan<byte> payload, Span<byte> frame)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payload.Length, MostPayload);
        int at = 0;
        frame[at++] = (byte)'$';
        foreach (byte each in payload)
        {
            // '*' would be a run of what comes before.
            if (each is (byte)'$' or (byte)'#' or (byte)'*' or Escape)
            {
                frame[at++] = Escape;
                frame[at++] = (byte)(each ^ EscapeBit);
            }
            else
            {
                frame[at++] = each;
            }
        }

        byte sum = Sum(frame[1..at]);
        frame[at++] = (byte)'#';
        HexText.WriteByte(sum, frame[at..]);
        return at + 2;
    }

    private static byte Sum(ReadOnlySpan<byte> body)
    {
        byte sum = 0;
        foreach (byte each in body)
            sum += each;
        return sum;
    }

    private static bool TryUnescape(ReadOnlySpan<byte> body, Span<byte> payload, out int length)
    {
        length = 0;
        for (int i = 0; i < body.Length; i++)
        {
            byte each = body[i];
            if (each == Escape)
            {
                if (++i == body.Length)
                    return false;
                each = (byte)(body[i] ^ EscapeBit);
            }

            if (length >= Math.Min(payload.Length, MostPayload))
                return false;
            payload[length++] = each;
        }

        return true;
    }
}
