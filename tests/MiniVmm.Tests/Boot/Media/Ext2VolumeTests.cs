using System.Diagnostics;
using MiniVmm.Boot;
using MiniVmm.Boot.Media;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Boot.Media;

/// <summary>File systems that mke2fs makes.</summary>
public sealed class Ext2VolumeTests
{
    private static readonly byte[] Letters = [.. Enumerable.Range(0, 5000).Select(i => (byte)(i * 7))];

    /// <summary>Enough for blocks of numbers of blocks of numbers where blocks are small.</summary>
    private static readonly byte[] Long = [.. Enumerable.Range(0, 700_000).Select(i => (byte)(i >> 8 ^ i))];

    /// <summary>A file system with files of every kind of layout.</summary>
    /// <param name="type">ext2, ext3 or ext4.</param>
    /// <param name="inodeSize">128 or 256.</param>
    /// <param name="blockSize">1024 to 65536.</param>
    /// <param name="files">Further files, by paths of folders that are there: /boot/grub.</param>
    internal static byte[] Image(string type, int inodeSize = 256, int blockSize = 1024, params (string Path, byte[] Data)[] files)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("minivmm-ext2-");
        try
        {
            string tree = Path.Combine(folder.FullName, "tree"), image = Path.Combine(folder.FullName, "image");
            Directory.CreateDirectory(Path.Combine(tree, "boot", "grub"));
            (string Path, byte[] Data)[] all = [("boot/kernel.elf", Letters), ("boot/grub/grub.cfg", "set"u8.ToArray()), ("long", Long), .. files];
            foreach ((string path, byte[] data) in all)
                File.WriteAllBytes(Path.Combine(tree, path.TrimStart('/')), data);
            using (FileStream holes = File.Create(Path.Combine(tree, "holes")))
            {
                // More parts than an inode has room for extents.
                for (int i = 0; i < 9; i++)
                {
                    holes.Position = i * 0x2_0000;
                    holes.Write(Letters.AsSpan(0, 16));
                }

                holes.SetLength(0x14_0000);
            }

            File.CreateSymbolicLink(Path.Combine(tree, "vmlinuz"), "boot/../boot/kernel.elf");
            File.CreateSymbolicLink(Path.Combine(tree, "boot", "slow"), string.Concat(Enumerable.Repeat("./", 40)) + "../vmlinuz");
            File.CreateSymbolicLink(Path.Combine(tree, "loop"), "/loop");
            ProcessStartInfo start = new("mke2fs",
                ["-q", "-t", type, "-F", "-b", $"{blockSize}", "-I", $"{inodeSize}", "-N", "32", "-d", tree, image, blockSize == 1024 ? "3M" : "8M"])
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true, // a warning of small inodes
            };
            start.Environment["PATH"] += ":/usr/sbin:/sbin";
            using Process process = Process.Start(start)!;
            string errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, errors);
            return File.ReadAllBytes(image);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static byte[]? Read(Ext2Volume volume, string path)
    {
        if (volume.Find(path) is not { } file)
            return null;
        using NativeBuffer buffer = file.Read(path, 4 << 20);
        return buffer.GetSpan().ToArray();
    }

    [Theory]
    [InlineData("ext2", 128, 1024)]
    [InlineData("ext2", 256, 4096)]
    [InlineData("ext3", 256, 2048)]
    [InlineData("ext4", 256, 1024)]
    [InlineData("ext4", 128, 4096)]
    public void A_volume_has_its_files_holes_and_links(string type, int inodeSize, int blockSize)
    {
        Ext2Volume volume = Assert.IsType<Ext2Volume>(Ext2Volume.Open(new MemoryView(Image(type, inodeSize, blockSize))));

        Assert.Equal(type, volume.Kind);
        Assert.Equal(Letters, Read(volume, "/boot/kernel.elf"));
        Assert.Equal(Long, Read(volume, "long"));
        Assert.Equal("set"u8.ToArray(), Read(volume, "/Boot//grub/./GRUB.CFG"));
        Assert.Equal(Letters, Read(volume, "/vmlinuz"));
        Assert.Equal(Letters, Read(volume, "/boot/slow"));
        byte[] holes = Read(volume, "/holes")!;
        Assert.Equal(0x14_0000, holes.Length);
        for (int i = 0; i < holes.Length; i++)
            Assert.Equal(i < 0x12_0000 && i % 0x2_0000 < 16 ? Letters[i % 0x2_0000] : 0, holes[i]);
        foreach (string none in (string[])["/boot/kernel", "/boot/grub", "/boot/kernel.elf/more", "/loop", "/"])
            Assert.Null(Read(volume, none));
    }

    [Fact]
    public void A_file_system_with_a_feature_that_is_not_understood_is_none()
    {
        byte[] image = Image("ext4");
        image[1024 + 97] |= 0x80; // data in inodes

        Assert.Null(Ext2Volume.Open(new MemoryView(image)));
    }

    [Fact]
    public void A_tree_of_extents_that_leads_to_itself_ends()
    {
        byte[] image = Image("ext4");
        MemoryView view = new(image);
        int leaf = image.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x0a, 0xf3, 9, 0]); // of the file with holes
        Assert.Equal(0, leaf % 1024);
        image[leaf + 6] = 1;
        BitConverter.TryWriteBytes(image.AsSpan(leaf + 16), leaf / 1024); // its first entry is itself, a level further down

        Assert.Null(Ext2Volume.Open(view)!.Find("/holes"));
    }

    [Fact]
    public void An_extent_of_no_blocks_is_damage()
    {
        byte[] image = Image("ext4");
        int leaf = image.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x0a, 0xf3, 9, 0]);
        BitConverter.TryWriteBytes(image.AsSpan(leaf + 12 + 4), (ushort)0);

        Assert.Null(Ext2Volume.Open(new MemoryView(image))!.Find("/holes"));
    }

    [Fact]
    public void A_tree_of_extents_with_ever_the_same_branch_ends()
    {
        const int blockSize = 1024, depths = 5, entries = (blockSize / 12) - 1;
        byte[] image = Image("ext4");
        int root = image.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x0a, 0xf3, 1, 0, 4, 0, 1, 0]); // the file with holes has the only tree
        int blocks = image.AsSpan().IndexOf(Long.AsSpan(0, blockSize)) / blockSize; // of the long file, for nodes
        Node(image.AsSpan(root), 1, depths, blocks);
        for (int i = 0; i < depths; i++)
            Node(image.AsSpan((blocks + i) * blockSize), i < depths - 1 ? entries : 0, depths - 1 - i, blocks + i + 1);

        Assert.Null(Ext2Volume.Open(new MemoryView(image))!.Find("/holes"));

        static void Node(Span<byte> node, int count, int depth, int below)
        {
            BitConverter.TryWriteBytes(node, (ushort)0xf30a);
            BitConverter.TryWriteBytes(node[2..], (ushort)count);
            BitConverter.TryWriteBytes(node[6..], (ushort)depth);
            for (int i = 1; i <= count; i++)
            {
                BitConverter.TryWriteBytes(node[((i * 12) + 4)..], below);
                BitConverter.TryWriteBytes(node[((i * 12) + 8)..], (ushort)0);
            }
        }
    }

    [Fact]
    public void An_image_of_one_boots_by_its_grub_cfg_with_or_without_partitions()
    {
        byte[] kernel = MultibootFiles.Elf().Build();
        byte[] volume = Image("ext4", files: [("/boot/os", kernel), ("/boot/grub/grub.cfg", "menuentry OS { multiboot /boot/os words }"u8.ToArray())]);
        foreach (byte[] image in (byte[][])[volume, Images.Partitioned(volume)])
        {
            using BootableImage medium = Assert.IsType<BootableImage>(BootableImage.Of("os.img", new MemoryView(image)));
            List<IDisposable> files = [];
            BootRequest request = medium.Request(Requests.For([]), files);

            Assert.Equal(("/boot/os", "words"), (request.ToldName, request.CommandLine));
            Assert.Equal(kernel, request.Kernel.ToArray());
            Assert.Equal("ext4, /boot/grub/grub.cfg: 1 entry", request.Notes[0]);
            files.ForEach(file => file.Dispose());
        }
    }
}
