using CsCheck;
using MiniVmm.Host;

namespace MiniVmm.Tests.Storage;

/// <summary>A cursor against the same bytes in one piece.</summary>
public sealed unsafe class IoCursorTests
{
    private static readonly Gen<int[]> Lengths = Gen.Int[1, 40].Array[1, 12];
    private static readonly Gen<(int[] Pieces, int[] Steps)> Cases = Gen.Select(Lengths, Lengths);

    [Fact]
    public void It_takes_the_bytes_in_order_wherever_pieces_end() => Cases.Sample(sizes =>
    {
        byte[] bytes = [.. Enumerable.Range(0, sizes.Pieces.Sum()).Select(i => (byte)i)];
        List<byte> taken = [];
        fixed (byte* start = bytes)
        {
            IoCursor cursor = new(Cut(start, sizes.Pieces));
            for (int i = 0; taken.Count < bytes.Length; i++)
            {
                int step = Math.Min(sizes.Steps[i % sizes.Steps.Length], bytes.Length - taken.Count);
                byte[] part = new byte[step];
                if (i % 2 == 0)
                    Assert.True(cursor.TryCopyOut(part));
                else
                    Fill(ref cursor, part, sizes.Pieces.Length);
                taken.AddRange(part);
            }

            Assert.True(cursor.Rest.IsEmpty);
            Assert.False(cursor.TryCopyOut(new byte[1]));
        }

        Assert.Equal(bytes, taken);
    });

    [Fact]
    public void It_fills_the_pieces_in_order() => Cases.Sample(sizes =>
    {
        byte[] source = [.. Enumerable.Range(1, sizes.Pieces.Sum()).Select(i => (byte)i)];
        byte[] target = new byte[source.Length];
        fixed (byte* from = source, to = target)
        {
            IoCursor cursor = new(Cut(to, sizes.Pieces));
            for (int i = 0, at = 0; at < source.Length; i++)
            {
                int step = Math.Min(sizes.Steps[i % sizes.Steps.Length], source.Length - at);
                cursor.CopyIn(from + at, (ulong)step);
                at += step;
            }
        }

        Assert.Equal(source, target);
    });

    [Fact]
    public void What_is_left_of_a_begun_piece_comes_first_and_whole_ones_after()
    {
        byte* bytes = stackalloc byte[30];
        IoCursor cursor = new(Cut(bytes, [10, 10, 10]));

        Assert.False(cursor.TryTakeRestOfPiece(out _));
        Assert.True(cursor.TryCopyOut(new byte[4]));
        Assert.True(cursor.TryTakeRestOfPiece(out IoVector rest));
        Assert.True(rest.Base == bytes + 4 && rest.Length == 6);
        Assert.Equal(2, cursor.Rest.Length);
    }

    private static void Fill(ref IoCursor cursor, byte[] part, int most)
    {
        IoVector[] pieces = new IoVector[most];
        int count = cursor.Take((ulong)part.Length, pieces);
        int at = 0;
        foreach (IoVector piece in pieces.AsSpan(0, count))
        {
            piece.Span.CopyTo(part.AsSpan(at));
            at += (int)piece.Length;
        }

        Assert.Equal(part.Length, at);
    }

    private static IoVector[] Cut(byte* start, int[] lengths)
    {
        IoVector[] pieces = new IoVector[lengths.Length];
        for (int i = 0; i < lengths.Length; start += lengths[i++])
            pieces[i] = new IoVector(start, (ulong)lengths[i]);
        return pieces;
    }
}
