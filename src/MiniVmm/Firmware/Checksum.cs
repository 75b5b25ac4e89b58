namespace MiniVmm.Firmware;

/// <summary>The checksum of ACPI and MP structures: all bytes, its own among them, add up to 0 mod 256.</summary>
internal static class Checksum
{
    /// <summary>What the checksum byte at <paramref name="offset"/> has to be, whatever it is now.</summary>
    public static byte For(ReadOnlySpan<byte> structure, int offset) => (byte)(structure[offset] - Sum(structure));

    /// <summary>The sum mod 256; 0 when the checksum is right.</summary>
    public static byte Sum(ReadOnlySpan<byte> structure)
    {
        byte sum = 0;
        foreach (byte b in structure)
            sum += b;
        return sum;
    }
}
