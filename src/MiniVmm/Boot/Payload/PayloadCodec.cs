namespace MiniVmm.Boot.Payload;

/// <summary>
/// What a kernel's payload (Documentation/arch/x86/boot.rst, payload_offset) or a whole file may be compressed with.
/// </summary>
internal enum PayloadCodec
{
    Unknown,
    Gzip,
    Bzip2,
    Lzma,
    Xz,
    Lzo,
    Lz4Legacy,
    Lz4Frame,
    Zstd,
}

/// <summary>Recognises codecs by their first bytes.</summary>
internal static class PayloadCodecs
{
    public static PayloadCodec Recognise(ReadOnlySpan<byte> payload) => payload switch
    {
        [0x1f, 0x8b, 8, ..] => PayloadCodec.Gzip,
        [(byte)'B', (byte)'Z', (byte)'h', >= (byte)'1' and <= (byte)'9', ..] => PayloadCodec.Bzip2,
        [0x5d, 0, 0, ..] => PayloadCodec.Lzma,
        [0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..] => PayloadCodec.Xz,
        [0x89, (byte)'L', (byte)'Z', (byte)'O', ..] => PayloadCodec.Lzo,
        [0x02, 0x21, 0x4c, 0x18, ..] => PayloadCodec.Lz4Legacy,
        [0x04, 0x22, 0x4d, 0x18, ..] => PayloadCodec.Lz4Frame,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => PayloadCodec.Zstd,
        _ => PayloadCodec.Unknown,
    };

    /// <exception cref="PayloadException">A codec that MiniVmm does not know, or cannot unpack.</exception>
    public static void RequireKnown(PayloadCodec codec, ReadOnlySpan<byte> payload)
    {
        if (codec is PayloadCodec.Unknown)
            throw new PayloadException($"unknown codec (first bytes {Convert.ToHexStringLower(payload[..4])})");
        if (codec is PayloadCodec.Lzo)
            throw new PayloadException("lzo, which MiniVmm cannot unpack");
    }

    public static string Name(PayloadCodec codec) => codec switch
    {
        PayloadCodec.Gzip => "gzip",
        PayloadCodec.Bzip2 => "bzip2",
        PayloadCodec.Lzma => "lzma",
        PayloadCodec.Xz => "xz",
        PayloadCodec.Lzo => "lzo",
        PayloadCodec.Lz4Legacy or PayloadCodec.Lz4Frame => "lz4",
        PayloadCodec.Zstd => "zstd",
        _ => "unknown codec",
    };
}
