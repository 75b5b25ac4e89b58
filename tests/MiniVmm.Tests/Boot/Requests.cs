using System.Buffers.Binary;
using MiniVmm.Boot;
using MiniVmm.Configuration;
using MiniVmm.Firmware;
using MiniVmm.Memory;
using MiniVmm.Tests.Cli;
using MiniVmm.Tests.Firmware;

namespace MiniVmm.Tests.Boot;

internal static class Requests
{
    public static BootRequest For(
        byte[] kernel, ulong size = 64 * MemoryLayout.MiB, string commandLine = "", byte[]? initrd = null,
        Decompression decompression = Decompression.Auto, params IReadOnlyList<BootModule> modules) => new()
        {
            KernelName = "kernel.bin",
            Kernel = kernel,
            Initrds = initrd is null ? [] : [Module("initrd.img", initrd)],
            Modules = modules,
            CommandLine = commandLine,
            Memory = new GuestMemoryMap(size),
            Firmware = new FirmwareTables(Topologies.Present(0), []),
            Decompression = decompression,
        };

    /// <summary>A file with words, as in <c>--module "FILE words"</c>.</summary>
    public static BootModule Module(string text, byte[] data) => new(BootFileText.Parse(text, _ => false), data);

    public static BootImage Load(byte[] kernel) => BootLoader.Load(For(kernel));

    /// <summary>The one line that a file is refused with.</summary>
    public static string Refusal(BootRequest request)
    {
        string message = Assert.Throws<BadInputException>(() => BootLoader.Load(request)).OnCommandLine();
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
            AssertSound(image);
        }
        catch (BadInputException refusal)
        {
            // The file at fault comes first, and there are two.
            Assert.Matches("^(kernel\\.bin|initrd\\.img|module\\.img)[^\n]*$", refusal.OnCommandLine());
        }
    }

    /// <summary>What every image must be, whatever file it came from.</summary>
    public static void AssertSound(BootImage image)
    {
        List<GuestRange> taken = [];
        foreach (LoadSegment segment in image.Segments)
        {
            GuestRange range = new(segment.Address, segment.MemorySize);
            Assert.True((ulong)segment.Data.Length <= segment.MemorySize, segment.Name);
            Assert.True(image.Memory.HasRam(range), segment.Name);
            Assert.DoesNotContain(taken, other => other.Overlaps(range));
            taken.Add(range);

            // What a kernel reads later is in no RAM that it was told of; what it needs at once is.
            if (IsLasting(segment))
                Assert.DoesNotContain(image.Memory.E820, e => e.Type == E820Type.Ram && e.Range.Overlaps(range));
            else if (IsForEntry(segment))
                Assert.True(image.Memory.Reports(range, E820Type.Ram), segment.Name);
        }

        EntryState entry = image.Entry;
        if (image.Format.StartsWith("Limine", StringComparison.Ordinal))
        {
            // Its addresses are linear; LimineLoaderTests translates them.
            Assert.Equal(entry.PageTable, image.Segment("Limine page tables").Address);
            AssertFound(image);
            return;
        }

        Assert.Contains(taken, range => range.Contains(entry.Rip, 1));
        if (entry.Mode == EntryMode.Real16)
        {
            Assert.True(entry.Rip < MemoryLayout.HighMemory);
        }
        else
        {
            Assert.Equal(entry.Gdt, image.Segment("boot GDT").Range);
            Assert.True(entry.Gdt.Length >= Math.Max(entry.CodeSelector, entry.DataSelector) + 8u);
        }

        Assert.Equal(entry.Rsp, image.Segment("boot stack").End);
        if (entry.Mode == EntryMode.Long64)
            Assert.Equal(entry.PageTable, image.Segment("boot page tables").Address);
        AssertFound(image);
    }

    private static bool IsLasting(LoadSegment segment) =>
        segment.Name is "ACPI tables" or "ACPI RSDP" or "MP table" or "MP floating pointer";

    private static bool IsForEntry(LoadSegment segment) =>
        segment.Name is "boot GDT" or "boot stack" or "boot page tables" or "kernel command line"
            or "Linux boot_params" or "PVH start info" or "multiboot information";

    /// <summary>The RSDP and the MP pointer are where a kernel searches, or a note says that they are not.</summary>
    private static void AssertFound(BootImage image)
    {
        GuestRange ebda = new(0x9fc00, 0x400);
        ulong rsdp = image.Firmware.Rsdp;
        Assert.Contains(image.Segments, s => s.Address == rsdp && s.Data.Span.StartsWith("RSD PTR "u8));
        if (!image.Notes.Any(note => note.StartsWith("ACPI RSDP: ", StringComparison.Ordinal)))
        {
            Assert.Equal(0ul, rsdp % 16);
            Assert.True(ebda.Contains(rsdp, 36) || new GuestRange(0xe0000, 0x20000).Contains(rsdp, 36));
        }

        if (image.Firmware.Mp is { } mp)
        {
            Assert.Equal(0ul, mp.Pointer % 16);
            Assert.True(ebda.Contains(mp.Pointer, 16) || new GuestRange(0xf0000, 0x10000).Contains(mp.Pointer, 16));
        }
        else
        {
            Assert.Contains(image.Notes, note => note.StartsWith("no MP table", StringComparison.Ordinal));
        }
    }
}
