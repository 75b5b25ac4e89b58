using System.IO.Compression;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace MiniVmm.Storage.Qcow2;

/// <summary>How an image's compressed clusters are packed (compression_type).</summary>
internal enum ClusterCompression
{
    Deflate = 0,
    Zstd = 1,
}

/// <summary>Unpacks compressed clusters.</summary>
internal static unsafe class ClusterCodec
{
    /// <summary>Fills the output, which is a cluster; what is behind the packed data in its last sector is not looked at.</summary>
    /// <returns>False where the data is damaged or unpacks to less.</returns>
    public static bool TryUnpack(ClusterCompression kind, byte* input, int inputLength, byte* output, int outputLength)
    {
        try
        {
            return kind == ClusterCompression.Deflate
                ? Inflate(input, inputLength, output, outputLength)
                : Zstd(input, inputLength, output, outputLength);
        }
        catch (Exception damaged) when (damaged is InvalidDataException or IOException or ZstdException
            or OutOfMemoryException or IndexOutOfRangeException or ArgumentException)
        {
            return false;
        }
    }

    private static bool Inflate(byte* input, int inputLength, byte* output, int outputLength)
    {
        using UnmanagedMemoryStream source = new(input, inputLength);
        using DeflateStream stream = new(source, CompressionMode.Decompress);
        return stream.ReadAtLeast(new Span<byte>(output, outputLength), outputLength, false) == outputLength;
    }

    private static bool Zstd(byte* input, int inputLength, byte* output, int outputLength)
    {
        // In one call, not as a stream: a stream's window is as large as the frame's header says, up to 128 MiB.
        nuint frame = Methods.ZSTD_findFrameCompressedSize(input, (nuint)inputLength);
        if (Methods.ZSTD_isError(frame) || frame > (nuint)inputLength)
            return false;
        using Decompressor decompressor = new();
        return decompressor.TryUnwrap(
            new ReadOnlySpan<byte>(input, (int)frame), new Span<byte>(output, outputLength), out int written)
            && written == outputLength;
    }
}
