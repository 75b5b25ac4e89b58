namespace MiniVmm.Firmware;

/// <summary>The header that all ACPI tables but the RSDP and the FACS begin with (ACPI 6.5, 5.2.6).</summary>
internal static class AcpiTable
{
    public const int HeaderSize = 36;
    public const string OemId = "MNIVMM";
    private const int ChecksumOffset = 9;

    /// <summary>A table from what follows its header; length and checksum are worked out.</summary>
    public static byte[] Build(string signature, byte revision, ReadOnlySpan<byte> body)
    {
        ByteWriter table = new();
        table.Ascii(signature);
        table.U32((uint)(HeaderSize + body.Length));
        table.U8(revision);
        table.U8(0);
        table.Ascii(OemId);
        table.Ascii("MINIVMM ");
        table.U32(1);
        table.Ascii("MVMM");
        table.U32(1);
        table.Bytes(body);
        byte[] bytes = table.ToArray();
        bytes[ChecksumOffset] = Checksum.For(bytes, ChecksumOffset);
        return bytes;
    }
}
