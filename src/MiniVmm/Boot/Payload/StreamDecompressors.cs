using System.Buffers.Binary;
using System.IO.Compression;
using SharpCompress.Compressors.BZip2;
using SharpCompress.Compressors.LZMA;
using SharpCompress.Compressors.Xz;
using ZstdSharp;

namespace MiniVmm.Boot.Payload;

/// <summary>Codecs that a library does. Each fills the output and tells how many bytes there were, at most.</summary>
internal static unsafe class StreamDecompressors
{
    private const int LzmaProperties = 5;
    private const int LzmaHeader = LzmaProperties + sizeof(ulong);

    public static int Gzip(ReadOnlySpan<byte> input, Span<byte> output) =>
        Fill(input, output, source => new GZipStream(source, CompressionMode.Decompress));

    public static int Bzip2(ReadOnlySpan<byte> input, Span<byte> output) =>
        Fill(input, output, source => BZip2Stream.Create(
            source, SharpCompress.Compressors.CompressionMode.Decompress, decompressConcatenated: false));

    public static int Xz(ReadOnlySpan<byte> input, Span<byte> output) =>
        Fill(input, output, source => new XZStream(source));

    /// <summary>The old .lzma file: properties, unpacked size (or all ones), one LZMA stream.</summary>
    public static int Lzma(ReadOnlySpan<byte> input, Span<byte> output)
    {
        if (input.Length < LzmaHeader)
            throw new InvalidDataException("the .lzma header is cut off");
        byte[] properties = input[..LzmaProperties].ToArray();

        // The window: never more than there is to unpack, whatever the header asks for.
        Span<byte> dictionary = properties.AsSpan(1);
        BinaryPrimitives.WriteUInt32LittleEndian(
            dictionary, Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(dictionary), (uint)output.Length));
        long length = output.Length;
        return Fill(
            input[LzmaHeader..], output, source => LzmaStream.Create(properties, source, source.Length, length));
    }

    public static int Zstd(ReadOnlySpan<byte> input, Span<byte> output)
    {
        using Decompressor decompressor = new();
        return decompressor.Unwrap(input, output);
    }

    private static int Fill(ReadOnlySpan<byte> input, Span<byte> output, Func<Stream, Stream> decompress)
    {
        fixed (byte* bytes = input)
        {
            using UnmanagedMemoryStream source = new(bytes, input.Length);
            using Stream stream = decompress(source);
            return stream.ReadAtLeast(output, output.Length, throwOnEndOfStream: false);
        }
    }
}
