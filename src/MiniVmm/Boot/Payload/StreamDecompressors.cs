using System.Buffers.Binary;
using System.IO.Compression;
using MiniVmm.Memory;
using SharpCompress.Compressors.BZip2;
using SharpCompress.Compressors.LZMA;
using SharpCompress.Compressors.Xz;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace MiniVmm.Boot.Payload;

/// <summary>
/// Unpacks what a kernel's build or a user compresses. Each codec fills the output and returns how many bytes there
/// were; an endless stream ends with the output.
/// </summary>
internal static unsafe class StreamDecompressors
{
    private const int LzmaProperties = 5;
    private const int LzmaHeader = LzmaProperties + sizeof(ulong);

    /// <summary>
    /// Unpacks a stream into a buffer of what came out of it, at most <paramref name="capacity"/> bytes.
    /// </summary>
    /// <exception cref="PayloadException">A broken stream, or the host has no memory for it.</exception>
    public static NativeBuffer Unpack(PayloadCodec codec, ReadOnlySpan<byte> stream, int capacity)
    {
        NativeBuffer? buffer = null;
        try
        {
            // The system gives pages as they are written: capacity that stays unused costs nothing.
            buffer = new(capacity);
            int length = Decompress(codec, stream, buffer.GetSpan());
            if (length < capacity)
                buffer.Shrink(length);
            return buffer;
        }
        catch (Exception failure)
        {
            // Libraries answer broken input with all sorts of exceptions, and the host may lack the memory: the caller
            // treats them all alike.
            buffer?.Dispose();
            throw new PayloadException($"{PayloadCodecs.Name(codec)}, but unpacking failed ({failure.Message})", failure);
        }
    }

    private static int Decompress(PayloadCodec codec, ReadOnlySpan<byte> stream, Span<byte> output) => codec switch
    {
        PayloadCodec.Gzip => Gzip(stream, output),
        PayloadCodec.Bzip2 => Bzip2(stream, output),
        PayloadCodec.Lzma => Lzma(stream, output),
        PayloadCodec.Xz => Xz(stream, output),
        PayloadCodec.Lz4Legacy => Lz4Legacy.Decompress(stream, output),
        PayloadCodec.Lz4Frame => Lz4Frame.Decompress(stream, output),
        _ => Zstd(stream, output),
    };

    private static int Gzip(ReadOnlySpan<byte> input, Span<byte> output) =>
        Fill(input, output, source => new GZipStream(source, CompressionMode.Decompress));

    private static int Bzip2(ReadOnlySpan<byte> input, Span<byte> output) =>
        Fill(input, output, source => BZip2Stream.Create(
            source, SharpCompress.Compressors.CompressionMode.Decompress, decompressConcatenated: false));

    private static int Xz(ReadOnlySpan<byte> input, Span<byte> output) =>
        Fill(input, output, source => new XZStream(source));

    /// <summary>The old .lzma file: properties, unpacked size (or all ones), one LZMA stream.</summary>
    private static int Lzma(ReadOnlySpan<byte> input, Span<byte> output)
    {
        if (input.Length < LzmaHeader)
            throw new InvalidDataException("the .lzma header is cut off");
        byte[] properties = input[..LzmaProperties].ToArray();

        // The window: never more than there is to unpack, whatever the header asks for.
        Span<byte> dictionary = properties.AsSpan(1);
        BinaryPrimitives.WriteUInt32LittleEndian(
            dictionary, Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(dictionary), (uint)output.Length));
        // All ones: the stream has an end marker instead.
        long length = BinaryPrimitives.ReadInt64LittleEndian(input[LzmaProperties..]);
        return Fill(
            input[LzmaHeader..], output, source => LzmaStream.Create(properties, source, source.Length, length));
    }

    private static int Zstd(ReadOnlySpan<byte> input, Span<byte> output)
    {
        using Decompressor decompressor = new();
        try
        {
            return decompressor.Unwrap(input, output);
        }
        catch (ZstdException full) when (full.Code == ZSTD_ErrorCode.ZSTD_error_dstSize_tooSmall)
        {
            return output.Length;
        }
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
