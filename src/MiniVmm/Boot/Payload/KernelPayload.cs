using System.Buffers.Binary;
using MiniVmm.Memory;

namespace MiniVmm.Boot.Payload;

/// <summary>
/// The compressed kernel inside a bzImage: the stream, and the size that its last four bytes promise.
/// </summary>
internal sealed class KernelPayload
{
    private const int SizeField = 4;

    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly PayloadCodec _codec;

    private KernelPayload(ReadOnlyMemory<byte> bytes, PayloadCodec codec)
    {
        _bytes = bytes;
        _codec = codec;
    }

    /// <summary>The codec's name.</summary>
    public string Codec => PayloadCodecs.Name(_codec);

    /// <summary>Bytes of the payload as it is in the file.</summary>
    public int Length => _bytes.Length;

    /// <summary>Finds the payload in the protected-mode part of a bzImage.</summary>
    /// <exception cref="PayloadException">None there, or not where the header says.</exception>
    public static KernelPayload Locate(LinuxSetupHeader header, ReadOnlyMemory<byte> protectedMode)
    {
        uint offset = header.PayloadOffset;
        uint length = header.PayloadLength;
        if (length <= SizeField)
            throw new PayloadException($"none (payload_length {length})");
        if (offset > (uint)protectedMode.Length || length > (uint)protectedMode.Length - offset)
        {
            throw new PayloadException(
                $"payload_offset 0x{offset:x} with payload_length 0x{length:x} runs past the protected-mode " +
                "code");
        }

        ReadOnlyMemory<byte> bytes = protectedMode.Slice((int)offset, (int)length);
        return new(bytes, PayloadCodecs.Recognise(bytes.Span));
    }

    /// <summary>
    /// Unpacks the kernel. Every codec fills one buffer of the promised size, so an endless stream costs no more than
    /// that.
    /// </summary>
    /// <param name="largest">Most bytes that can be of use: the guest's RAM.</param>
    /// <exception cref="PayloadException">
    /// An unknown codec, a broken stream, or a size that is not what was promised.
    /// </exception>
    public NativeBuffer Unpack(ulong largest)
    {
        ReadOnlySpan<byte> bytes = _bytes.Span;
        // The build appends the size to every stream but gzip's, which ends with it anyway (scripts/Makefile.lib).
        uint promised = BinaryPrimitives.ReadUInt32LittleEndian(bytes[^SizeField..]);
        ReadOnlySpan<byte> stream = _codec == PayloadCodec.Gzip ? bytes : bytes[..^SizeField];
        PayloadCodecs.RequireKnown(_codec, bytes);
        if (promised == 0 || promised > Math.Min(largest, int.MaxValue))
            throw new PayloadException($"{Codec}, {promised} bytes when unpacked, which the guest's RAM does not hold");

        NativeBuffer buffer = StreamDecompressors.Unpack(_codec, stream, (int)promised);
        if (buffer.Length == promised)
            return buffer;
        string refusal = $"{Codec}, but it unpacked to {buffer.Length} bytes, not {promised}";
        buffer.Dispose();
        throw new PayloadException(refusal);
    }
}
