using System.Buffers.Binary;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// struct boot_params, the "zero page" (Documentation/arch/x86/zero-page.rst).
/// screen_info stays zero where nobody sees a screen: 0 lines and 0 columns tell Linux that there is no VGA to write to.
/// </summary>
internal static class LinuxBootParams
{
    public const string Name = "Linux boot_params";
    public const int Size = 4096;

    private const int E820Table = 0x2d0;
    private const int E820EntrySize = 20;
    private const int E820Limit = 128;

    private const byte UnregisteredLoader = 0xff;
    private const byte CanUseHeap = 1 << 7;
    private const ushort NormalVideoMode = 0xffff;
    private const ushort HeapEnd = 0xfe00;

    /// <param name="header">The kernel's setup header.</param>
    /// <param name="loadAddress">Where the kernel lies.</param>
    /// <param name="commandLine">Where the command line lies, below 4 GiB.</param>
    /// <param name="initrd">Where the RAM disk lies, if there is one.</param>
    /// <param name="memory">The memory map.</param>
    /// <param name="rsdp">Guest-physical address of the RSDP.</param>
    /// <param name="hasTextScreen">Whether there is a VGA in text mode 3.</param>
    public static byte[] Build(
        LinuxSetupHeader header, ulong loadAddress, ulong commandLine, GuestRange? initrd, GuestMemoryMap memory,
        ulong rsdp, bool hasTextScreen = false)
    {
        byte[] page = new byte[Size];
        if (hasTextScreen)
        {
            page[0x006] = 3; // orig_video_mode
            page[0x007] = 80; // orig_video_cols
            U16(page, 0x00a, 3); // orig_video_ega_bx: colour, 256 KiB
            page[0x00e] = 25; // orig_video_lines
            page[0x00f] = 1; // orig_video_isVGA: VIDEO_TYPE_VGAC
            U16(page, 0x010, 16); // orig_video_points
        }

        header.Bytes.CopyTo(page.AsSpan(LinuxSetupHeader.Offset));

        U64(page, 0x070, rsdp); // acpi_rsdp_addr
        ulong aboveOneMiB = (memory.ExtendedMemoryEnd - MemoryLayout.HighMemory) / MemoryLayout.KiB;
        U32(page, 0x1e0, (uint)aboveOneMiB); // alt_mem_k

        U16(page, 0x1fa, NormalVideoMode); // vid_mode
        page[0x210] = UnregisteredLoader; // type_of_loader
        page[0x211] |= CanUseHeap; // loadflags
        U32(page, 0x214, (uint)loadAddress); // code32_start
        U16(page, 0x224, HeapEnd); // heap_end_ptr
        U32(page, 0x228, (uint)commandLine); // cmd_line_ptr
        U64(page, 0x250, 0); // setup_data: a loader's list, and there is none
        if (initrd is { } disk)
        {
            U32(page, 0x218, (uint)disk.Start); // ramdisk_image
            U32(page, 0x21c, (uint)disk.Length); // ramdisk_size
            U32(page, 0x0c0, (uint)(disk.Start >> 32)); // ext_ramdisk_image
            U32(page, 0x0c4, (uint)(disk.Length >> 32)); // ext_ramdisk_size
        }

        int count = Math.Min(memory.E820.Count, E820Limit);
        page[0x1e8] = (byte)count; // e820_entries
        for (int i = 0; i < count; i++)
        {
            E820Entry entry = memory.E820[i];
            int at = E820Table + i * E820EntrySize;
            U64(page, at, entry.Range.Start);
            U64(page, at + 8, entry.Range.Length);
            U32(page, at + 16, (uint)entry.Type);
        }

        return page;
    }

    private static void U16(byte[] page, int at, ushort value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(at), value);

    private static void U32(byte[] page, int at, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(at), value);

    private static void U64(byte[] page, int at, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan(at), value);
}
