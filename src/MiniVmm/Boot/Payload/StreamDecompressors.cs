using System.IO.Compression;
using SharpCompress.Compressors.BZip2;
using ZstdSharp;

namespace MiniVmm.Boot.Payload;

/// <summary>Codecs that a library does. Each fills the output and tells how many bytes there were, at most.</summary>
internal static unsafe class StreamDecompressors
{
    public static int Gzip(ReadOnlySpan<byte> input, Span<byte> output)
    {
        fixed (byte* bytes = input)
        {
            using UnmanagedMemoryStream source = new(bytes, input.Length);
            using GZipStream stream = new(source, CompressionMode.Decompress);
            return stream.ReadAtLeast(output, output.Length, throwOnEndOfStream: false);
        }
    }

    public static int Bzip2(ReadOnlySpan<byte> input, Span<byte> output)
    {
        fixed (byte* bytes = input)
        {
            using UnmanagedMemoryStream source = new(bytes, input.Length);
            using BZip2Stream stream = BZip2Stream.Create(
                source, SharpCompress.Compressors.CompressionMode.Decompress, decompressConcatenated: false);
            return stream.ReadAtLeast(output, output.Length, throwOnEndOfStream: false);
        }
    }

    public static int Zstd(ReadOnlySpan<byte> input, Span<byte> output)
    {
        using Decompressor decompressor = new();
        return decompressor.Unwrap(input, output);
    }
}
