using CsCheck;
using MiniVmm.Boot.Media;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Boot.Media;

public sealed class VolumeTests
{
    private static readonly byte[] Letters = [.. Enumerable.Range(0, 5000).Select(i => (byte)(i * 7))];

    private static byte[]? Read(IMediaVolume? volume, string path)
    {
        if (volume?.Find(path) is not { } file)
            return null;
        using NativeBuffer buffer = file.Read(path, 1 << 20);
        return buffer.GetSpan().ToArray();
    }

    private static byte[] Iso(Images.Names names) => Images.Iso(
        names, ("/boot/", []), ("/boot/grub/", []), ("/boot/grub/grub.cfg", "set"u8.ToArray()), ("/boot/kernel.elf", Letters));

    [Theory]
    [InlineData(Images.Names.Plain, "ISO 9660")]
    [InlineData(Images.Names.RockRidge, "ISO 9660 with Rock Ridge")]
    [InlineData(Images.Names.Joliet, "ISO 9660 with Joliet")]
    internal void An_ISO_has_its_files_by_whatever_names_it_has(Images.Names names, string kind)
    {
        Iso9660Volume volume = Assert.IsType<Iso9660Volume>(Iso9660Volume.Open(new MemoryView(Iso(names))));

        Assert.Equal(kind, volume.Kind);
        Assert.Equal(Letters, Read(volume, "/boot/kernel.elf"));
        Assert.Equal("set"u8.ToArray(), Read(volume, "/Boot//grub/./GRUB.CFG"));
        Assert.Null(Read(volume, "/boot/kernel"));
        Assert.Null(Read(volume, "/boot/grub"));
        Assert.Null(Read(volume, "/boot/kernel.elf/more"));
    }

    [Theory]
    [InlineData(12)]
    [InlineData(16)]
    [InlineData(32)]
    public void A_FAT_volume_has_its_files_by_long_and_short_names(int bits)
    {
        byte[] image = Images.Fat(bits, ("a long name.config", Letters), ("empty", []));
        FatVolume volume = Assert.IsType<FatVolume>(FatVolume.Open(new MemoryView(image)));

        Assert.Equal($"FAT{bits}", volume.Kind);
        Assert.Equal(Letters, Read(volume, "/dir/A Long Name.config"));
        Assert.Equal(Letters, Read(volume, "DIR/short~1.ext"));
        Assert.Empty(Read(volume, "/dir/empty")!);
        Assert.Null(Read(volume, "/a long name.config"));
    }

    [Fact]
    public void A_chain_that_is_a_loop_ends()
    {
        byte[] image = Images.Fat(16, ("loop", Letters));
        // Cluster 3, the file's first, leads to itself, and the file says that it has 4 GiB.
        image[512 + 6] = 3;
        int entry = image.AsSpan().IndexOf("SHORT~1 EXT"u8);
        image.AsSpan(entry + 28, 4).Fill(0xff);

        Assert.Null(Read(FatVolume.Open(new MemoryView(image)), "/dir/loop"));
    }

    [Fact]
    public void Partitions_are_found_by_either_table()
    {
        byte[] volume = Images.Fat(12, ("f", Letters));
        byte[] disk = Images.Partitioned(volume);
        MediaView part = Assert.Single(Partitions.Of(new MemoryView(disk)));
        Assert.Equal(Letters, Read(FatVolume.Open(part), "/dir/f"));

        byte[] gpt = [.. disk];
        gpt.AsSpan(0x1be, 64).Clear();
        "EFI PART"u8.CopyTo(gpt.AsSpan(512));
        gpt[512 + 72] = 2;
        gpt[512 + 80] = 4;
        gpt[512 + 84] = 128;
        gpt[1024] = 1;
        BitConverter.TryWriteBytes(gpt.AsSpan(1024 + 32), 2048L);
        BitConverter.TryWriteBytes(gpt.AsSpan(1024 + 40), 2048L + volume.Length / 512 - 1);
        Assert.Equal(Letters, Read(FatVolume.Open(Assert.Single(Partitions.Of(new MemoryView(gpt)))), "/dir/f"));
    }

    public static TheoryData<string> Kinds => ["plain", "rock ridge", "joliet", "fat12", "fat16", "ext2", "ext4", "disk", "gpt"];

    private static byte[] Sample(string kind) => kind switch
    {
        "plain" => Iso(Images.Names.Plain),
        "rock ridge" => Iso(Images.Names.RockRidge),
        "joliet" => Iso(Images.Names.Joliet),
        "fat12" => Images.Fat(12, ("boot.cfg", Letters)),
        "fat16" => Images.Fat(16, ("boot.cfg", Letters)),
        "ext2" or "ext4" => Ext2VolumeTests.Image(kind, 128),
        "disk" => Images.Partitioned(Images.Fat(12, ("boot.cfg", Letters))),
        _ => [.. new byte[512], .. "EFI PART"u8, .. new byte[4000]],
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void With_bytes_changed_or_cut_off_an_image_is_read_or_not_and_nothing_else(string kind)
    {
        byte[] good = Sample(kind);
        int[] places = [.. Enumerable.Range(0, good.Length).Where(i => good[i] != 0)];
        byte[] extremes = [0, 1, 2, 0x22, 0x7f, 0x80, 0xff];
        Gen<int> place = Gen.OneOf(Gen.Int[0, places.Length - 1].Select(i => places[i]), Gen.Int[0, good.Length - 1]);
        Gen<byte> value = Gen.OneOf(Gen.Byte, Gen.Int[0, extremes.Length - 1].Select(i => extremes[i]));
        Gen.Select(Gen.Select(place, value).Array[1, 8], Gen.Int[1, good.Length]).Sample(
            (changes, length) =>
            {
                byte[] image = [.. good];
                foreach ((int at, byte changed) in changes)
                    image[at] = changed;
                ReadAll(image);
                ReadAll(image[..length]);
            },
            iter: good.Length > 1 << 20 ? 100 : 400,
            threads: 1);
    }

    [Fact]
    public void Any_bytes_at_all_are_read_or_not_and_nothing_else() =>
        Gen.Byte.Array[0, 3000].Sample(ReadAll, iter: 300, threads: 1);

    private static void ReadAll(byte[] image)
    {
        MemoryView view = new(image);
        IMediaVolume?[] volumes =
            [Iso9660Volume.Open(view), FatVolume.Open(view), Ext2Volume.Open(view), .. Partitions.Of(view).Select(part => (IMediaVolume?)FatVolume.Open(part))];
        foreach (IMediaVolume? volume in volumes)
        {
            foreach (string path in (string[])["/boot/kernel.elf", "/boot/grub/grub.cfg", "/dir/boot.cfg", "/dir/short~1.ext", "/holes", "/slow", "/none"])
            {
                try
                {
                    Read(volume, path);
                }
                catch (BadInputException)
                {
                    // Larger than any use, or not all there.
                }
            }
        }
    }
}
