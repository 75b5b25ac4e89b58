using System.Buffers.Binary;
using System.Text;
using MiniVmm.Boot;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Machine;

/// <summary>
/// A Linux kernel that firmware boots: by fw_cfg, in the parts and at the addresses that QEMU has it. qboot and OVMF take it from
/// there themselves, SeaBIOS by an option ROM of QEMU's.
/// </summary>
internal static class FirmwareKernel
{
    private const uint RealModeAddress = 0x1_0000;
    private const uint CommandLineAddress = 0x2_0000;
    private const uint KernelAddress = 0x10_0000;
    private const int LongestCommandLine = 2047;

    // Fields of the setup header (Documentation/arch/x86/boot.rst).
    private const int LoaderType = 0x210, LoadFlags = 0x211, InitrdAddress = 0x218, InitrdLength = 0x21c;
    private const int HeapEnd = 0x224, CommandLinePointer = 0x228, InitrdMost = 0x22c;
    private const byte UsesHeap = 0x80, Qemu = 0xb0;
    private const int HeaderEnd = 0x230;

    private const string Rom = "linuxboot_dma.bin";
    private static readonly string[] Folders = ["/usr/share/qemu", "/usr/share/seabios"];

    /// <summary>Tells firmware of the kernel, if there is one.</summary>
    /// <exception cref="BadInputException">It is no bzImage, or does not fit.</exception>
    public static void Describe(FwCfgItems items, MachineOptions options, GuestMemoryMap memory)
    {
        if (options.Kernel.Length == 0)
            return;
        byte[] kernel = Read(options.Kernel, OptionName.Kernel);
        if (!LinuxSetupHeader.HasMagic(kernel) || kernel.Length < HeaderEnd || kernel[0x207] < 2)
        {
            throw new BadInputException($"{options.Kernel}: {OptionName.Firmware.With(options.Firmware)} boots a Linux bzImage or a disk, and "
                + $"this is none; leave out {OptionName.Firmware}");
        }

        if (options.CommandLine.Length > LongestCommandLine)
            throw new BadInputException($"{OptionName.Append}: {options.CommandLine.Length} characters are more than firmware passes on, {LongestCommandLine}");
        int setupLength = ((kernel[0x1f1] == 0 ? 4 : kernel[0x1f1]) + 1) * 512;
        if (setupLength >= kernel.Length)
            throw new BadInputException($"{options.Kernel}: its setup code of {setupLength} bytes is not all there");
        byte[] commandLine = [.. Encoding.UTF8.GetBytes(options.CommandLine), 0];
        byte[] initrd = [.. options.Initrds.SelectMany(file => Read(file.Path, OptionName.Initrd))];
        byte[] setup = kernel[..setupLength];
        setup[LoaderType] = Qemu;
        setup[LoadFlags] |= UsesHeap;
        BinaryPrimitives.WriteUInt16LittleEndian(setup.AsSpan(HeapEnd), (ushort)(CommandLineAddress - RealModeAddress - 0x200));
        BinaryPrimitives.WriteUInt32LittleEndian(setup.AsSpan(CommandLinePointer), CommandLineAddress);
        if (initrd.Length > 0)
            PlaceInitrd(items, options, setup, initrd, memory);
        Item(items, FwCfgItems.Key.KernelAddress, FwCfgItems.Key.KernelSize, FwCfgItems.Key.KernelData, KernelAddress, kernel[setupLength..]);
        Item(items, FwCfgItems.Key.CommandLineAddress, FwCfgItems.Key.CommandLineSize, FwCfgItems.Key.CommandLineData, CommandLineAddress, commandLine);
        Item(items, FwCfgItems.Key.SetupAddress, FwCfgItems.Key.SetupSize, FwCfgItems.Key.SetupData, RealModeAddress, setup);

        // By it SeaBIOS boots such a kernel; other firmware makes nothing of it.
        if (FindRom(Folders) is { } rom && items.TryAddFile($"genroms/{Rom}", Read(rom, OptionName.Firmware)))
            items.TryAddFile(FirmwareBootOrder.FileName, Encoding.ASCII.GetBytes($"/rom@genroms/{Rom}\0"));
    }

    /// <summary>QEMU's option ROM by which SeaBIOS boots a kernel, or null.</summary>
    public static string? FindRom(IEnumerable<string> folders) =>
        folders.Select(folder => Path.Combine(folder, Rom)).FirstOrDefault(File.Exists);

    /// <summary>As high as the kernel allows below the RAM's end, of which ACPI's tables get some.</summary>
    private static void PlaceInitrd(FwCfgItems items, MachineOptions options, byte[] setup, byte[] initrd, GuestMemoryMap memory)
    {
        const ulong forTables = 0x4_0000;
        ulong most = setup[0x206] >= 3 ? BinaryPrimitives.ReadUInt32LittleEndian(setup.AsSpan(InitrdMost)) : 0x37ff_ffff;
        ulong end = Math.Min(most, memory.LowRamEnd - forTables - 1);
        if (end < KernelAddress + (ulong)initrd.Length)
        {
            throw new BadInputException(
                $"{options.Initrds[0].Path}: its {initrd.Length} bytes do not fit into the RAM below 0x{end:x}; give the guest more {OptionName.Mem}");
        }

        uint address = (uint)((end - (ulong)initrd.Length) & ~0xfffUL);
        BinaryPrimitives.WriteUInt32LittleEndian(setup.AsSpan(InitrdAddress), address);
        BinaryPrimitives.WriteUInt32LittleEndian(setup.AsSpan(InitrdLength), (uint)initrd.Length);
        Item(items, FwCfgItems.Key.InitrdAddress, FwCfgItems.Key.InitrdSize, FwCfgItems.Key.InitrdData, address, initrd);
    }

    private static void Item(
        FwCfgItems items, FwCfgItems.Key addressKey, FwCfgItems.Key sizeKey, FwCfgItems.Key dataKey, uint address, byte[] data)
    {
        items.Set32(addressKey, address);
        items.Set32(sizeKey, (uint)data.Length);
        items.Set(dataKey, data);
    }

    private static byte[] Read(string path, OptionName option)
    {
        using NativeBuffer bytes = InputFile.Read(path, option);
        return bytes.GetSpan().ToArray();
    }
}
