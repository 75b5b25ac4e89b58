using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Boot.Limine;

/// <summary>The responses and all that they point to: one block, filled from its start on.</summary>
/// <param name="bytes">The block, zeros; large enough for all of them.</param>
/// <param name="pointer">Its address as the executable sees it, in the direct map.</param>
internal sealed class LimineBlock(byte[] bytes, ulong pointer)
{
    private int _used;

    /// <summary>Puts words of 64 bits into the block.</summary>
    /// <returns>The pointer to the first.</returns>
    public ulong Add(params ReadOnlySpan<ulong> words)
    {
        ulong at = Take(words.Length * sizeof(ulong), out Span<byte> place);
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(place[(i * sizeof(ulong))..], words[i]);
        return at;
    }

    /// <summary>Puts a text with a NUL behind it into the block.</summary>
    /// <returns>The pointer to it.</returns>
    public ulong Add(string text)
    {
        ulong at = Take(Encoding.UTF8.GetByteCount(text) + 1, out Span<byte> place);
        Encoding.UTF8.GetBytes(text, place);
        return at;
    }

    /// <summary>Puts a table of pointers into the block.</summary>
    /// <returns>The pointer to it.</returns>
    public ulong AddTable(IEnumerable<ulong> pointers) => Add([.. pointers]);

    /// <summary>Takes zeros on a multiple of 8.</summary>
    private ulong Take(int size, out Span<byte> place)
    {
        int at = _used;
        _used += (size + 7) & ~7;
        place = bytes.AsSpan(at, size);
        return pointer + (ulong)at;
    }
}
