using System.Buffers.Binary;
using MiniVmm.Storage.Qcow2;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>Images that are refused, and in which words.</summary>
public sealed class Qcow2HeaderTests
{
    private const int L1At = 3 << 16;
    private const int RefcountTableAt = 1 << 16;

    [Theory]
    [InlineData(4, 4u, "version 4")]
    [InlineData(20, 8u, "clusters of 2^8 bytes")]
    [InlineData(20, 22u, "clusters of 2^22 bytes")]
    [InlineData(24, 0x80000000u, "is a disk of")]
    [InlineData(24, 1u, "L1 entries, but needs")]
    [InlineData(32, 1u, "encrypted (AES)")]
    [InlineData(32, 2u, "encrypted (LUKS)")]
    [InlineData(36, 0u, "0 L1 entries, but needs 1")]
    [InlineData(36, 0x00400001u, "more than 32 MiB")]
    [InlineData(36, 0x00400000u, "outside of the file")]
    [InlineData(44, 0x00030200u, "not aligned")]
    [InlineData(44, 0u, "L1 table at 0")]
    [InlineData(40, 0xffffffffu, "outside of the file")]
    [InlineData(52, 0x00010001u, "not aligned")]
    [InlineData(52, 0x7fff0000u, "outside of the file")]
    [InlineData(56, 0u, "refcount table of 0 clusters")]
    [InlineData(56, 129u, "refcount table of 129 clusters")]
    [InlineData(60, 65537u, "65537 snapshots")]
    [InlineData(60, 1u, "1 snapshots at 0")]
    [InlineData(96, 7u, "more than 64 bits")]
    [InlineData(100, 103u, "header of 103 bytes")]
    [InlineData(100, 0xfffffff8u, "header of")]
    [InlineData(12, 20u, "names its backing file")]
    [InlineData(76, 1u, "lazy refcounts")]
    [InlineData(76, 2u, "marked as corrupt")]
    [InlineData(76, 4u, "an external data file")]
    [InlineData(76, 8u, "how its clusters are compressed")]
    [InlineData(76, 16u, "extended L2 entries")]
    [InlineData(76, 32u, "needs unsupported features: bit 5")]
    public void A_header_that_cannot_be_used_is_refused(int at, uint value, string words)
    {
        byte[] image = BlankImage.Create(1 << 20);
        BinaryPrimitives.WriteUInt32BigEndian(image.AsSpan(at), value);
        string message = Refusal(image);
        Assert.StartsWith("--disk test.qcow2: ", message, StringComparison.Ordinal);
        Assert.Contains(words, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData(L1At, 0x30000ul, "two tables at")]
    [InlineData(L1At, 0x20000ul, "two tables at")]
    [InlineData(L1At, 0x30200ul, "not aligned")]
    [InlineData(L1At, 0x400000ul, "outside of the file")]
    [InlineData(RefcountTableAt + 8, 0x20000ul, "two tables at")]
    [InlineData(RefcountTableAt + 8, 0x20200ul, "refcount block")]
    [InlineData(RefcountTableAt + 8, 0xffffffffffff0000ul, "refcount block")]
    public void Tables_that_overlap_or_are_nowhere_are_not_written(int at, ulong value, string words)
    {
        byte[] image = BlankImage.Create(1 << 20);
        BinaryPrimitives.WriteUInt64BigEndian(image.AsSpan(at), value);
        Assert.Contains(words, Refusal(image), StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_feature_is_named_as_the_image_names_it()
    {
        byte[] image = BlankImage.Create(1 << 20);
        image[72] = 0x80;
        BinaryPrimitives.WriteUInt32BigEndian(image.AsSpan(104), 0x6803f857);
        BinaryPrimitives.WriteUInt32BigEndian(image.AsSpan(108), 48);
        image[113] = 63;
        "time travel\e[2J"u8.CopyTo(image.AsSpan(114));
        Assert.Contains("time travel?[2J (bit 63)", Refusal(image), StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_image_can_be_read()
    {
        byte[] image = BlankImage.Create(1 << 20);
        image[79] = 3;
        using Qcow2Image disk = Open(image, readOnly: true);
        new ModelDisk(disk, new byte[1 << 20]).Verify();
    }

    [Fact]
    public void Autoclear_features_are_cleared_before_anything_is_written()
    {
        byte[] image = BlankImage.Create(1 << 20);
        image[95] = 1;
        var file = new MemoryImageFile(image);
        using Qcow2Image disk = Qcow2Image.Open(file, (_, _, _) => throw new InvalidOperationException(), null);
        Assert.Equal(0, file.AfterKill()[95]);
    }

    [Fact]
    public void A_cut_off_header_is_refused()
    {
        byte[] image = BlankImage.Create(1 << 20);
        for (int length = 0; length < 104; length++)
            Assert.StartsWith("--disk test.qcow2: ", Refusal(image[..length]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1023u, 200ul)]
    [InlineData(1023u, 0x7fff_ff00ul)]
    [InlineData(600u, ulong.MaxValue)]
    [InlineData(513u, 104ul)]
    public void A_backing_file_whose_name_is_longer_than_a_cluster_is_refused(uint length, ulong offset)
    {
        byte[] image = BlankImage.Create(1 << 14, clusterBits: 9);
        BinaryPrimitives.WriteUInt64BigEndian(image.AsSpan(8), offset);
        BinaryPrimitives.WriteUInt32BigEndian(image.AsSpan(16), length);
        Assert.Contains("names its backing file", Refusal(image), StringComparison.Ordinal);
    }

    private static Qcow2Image Open(byte[] image, bool readOnly) => Qcow2Image.Open(
        new MemoryImageFile(image, readOnly), (_, _, _) => throw new InvalidOperationException(), null);

    private static string Refusal(byte[] image) =>
        Assert.Throws<BadInputException>(() => Open(image, readOnly: false)).OnCommandLine();
}
