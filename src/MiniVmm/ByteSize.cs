namespace MiniVmm;

/// <summary>Sizes as people read them: units are powers of 1024.</summary>
public static class ByteSize
{
    private const string Units = "KMGT";

    /// <summary>Writes a size with the largest unit that divides it: "256 MiB", "5 GiB", "100 bytes".</summary>
    public static string Format(ulong bytes)
    {
        if (bytes == 0 || bytes % 1024 != 0)
            return bytes == 1 ? "1 byte" : $"{bytes} bytes";
        int unit = 0;
        while (unit < Units.Length && bytes % 1024 == 0)
        {
            bytes /= 1024;
            unit++;
        }

        return $"{bytes} {Units[unit - 1]}iB";
    }
}
