using System.Buffers.Binary;
using MiniVmm.Boot;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Boot;

internal static class Requests
{
    public static BootRequest For(
        byte[] kernel, ulong size = 64 * MemoryLayout.MiB, string commandLine = "", byte[]? initrd = null,
        Decompression decompression = Decompression.Auto) => new()
        {
            KernelName = "kernel.bin",
            Kernel = kernel,
            InitrdName = initrd is null ? null : "initrd.img",
            // Spelt out: a bare null converts, by way of byte[], to an empty memory.
            Initrd = initrd is null ? default(ReadOnlyMemory<byte>?) : new ReadOnlyMemory<byte>(initrd),
            CommandLine = commandLine,
            Memory = new GuestMemoryMap(size),
            Decompression = decompression,
        };

    public static BootImage Load(byte[] kernel) => BootLoader.Load(For(kernel));

    /// <summary>The one line that a file is refused with.</summary>
    public static string Refusal(BootRequest request)
    {
        string message = Assert.Throws<BadInputException>(() => BootLoader.Load(request)).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }

    public static string Refusal(byte[] kernel) => Refusal(For(kernel));

    public static LoadSegment Segment(this BootImage image, string name) =>
        Assert.Single(image.Segments, segment => segment.Name == name);

    public static uint U32(LoadSegment segment, int at) =>
        BinaryPrimitives.ReadUInt32LittleEndian(segment.Data.Span[at..]);

    public static ulong U64(LoadSegment segment, int at) =>
        BinaryPrimitives.ReadUInt64LittleEndian(segment.Data.Span[at..]);

    /// <summary>Loads any bytes: a sound image or a refusal, and never another exception.</summary>
    public static void LoadOrRefuse(BootRequest request)
    {
        try
        {
            using BootImage image = BootLoader.Load(request);
            AssertSound(image, request.Memory);
        }
        catch (BadInputException refusal)
        {
            // The file at fault comes first, and there are two.
            Assert.Matches("^(kernel\\.bin|initrd\\.img)[^\n]*$", refusal.Message);
        }
    }

    /// <summary>What every image must be, whatever file it came from.</summary>
    public static void AssertSound(BootImage image, GuestMemoryMap memory)
    {
        List<GuestRange> ram = [.. memory.E820.Where(entry => entry.Type == E820Type.Ram).Select(entry => entry.Range)];
        List<GuestRange> taken = [];
        foreach (LoadSegment segment in image.Segments)
        {
            GuestRange range = new(segment.Address, segment.MemorySize);
            Assert.True((ulong)segment.Data.Length <= segment.MemorySize, segment.Name);
            Assert.True(range.Start >= MemoryLayout.BootGdt, segment.Name);
            Assert.Contains(ram, part => part.Contains(range.Start, range.Length));
            Assert.DoesNotContain(taken, other => other.Overlaps(range));
            taken.Add(range);
        }

        Assert.Contains(taken, range => range.Contains(image.Entry.Rip, 1));
        Assert.Contains(taken, range => range.Contains(MemoryLayout.BootGdt, image.Entry.DataSelector + 8u));
    }
}
