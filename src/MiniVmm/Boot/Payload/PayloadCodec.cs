namespace MiniVmm.Boot.Payload;

/// <summary>What a kernel's payload may be compressed with (Documentation/arch/x86/boot.rst, payload_offset).</summary>
internal enum PayloadCodec
{
    Unknown,
    Gzip,
    Bzip2,
    Lzma,
    Xz,
    Lzo,
    Lz4,
    Zstd,
}

/// <summary>Tells codecs apart by their first bytes.</summary>
internal static class PayloadCodecs
{
    public static PayloadCodec Recognise(ReadOnlySpan<byte> payload) => payload switch
    {
        [0x1f, 0x8b, ..] => PayloadCodec.Gzip,
        [(byte)'B', (byte)'Z', (byte)'h', ..] => PayloadCodec.Bzip2,
        [0x5d, 0, 0, ..] => PayloadCodec.Lzma,
        [0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..] => PayloadCodec.Xz,
        [0x89, (byte)'L', (byte)'Z', (byte)'O', ..] => PayloadCodec.Lzo,
        [0x02, 0x21, 0x4c, 0x18, ..] => PayloadCodec.Lz4,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => PayloadCodec.Zstd,
        _ => PayloadCodec.Unknown,
    };

    public static string Name(PayloadCodec codec) => codec switch
    {
        PayloadCodec.Gzip => "gzip",
        PayloadCodec.Bzip2 => "bzip2",
        PayloadCodec.Lzma => "lzma",
        PayloadCodec.Xz => "xz",
        PayloadCodec.Lzo => "lzo",
        PayloadCodec.Lz4 => "lz4",
        PayloadCodec.Zstd => "zstd",
        _ => "unknown codec",
    };
}
