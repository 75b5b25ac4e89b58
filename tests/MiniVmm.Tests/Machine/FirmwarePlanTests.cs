using MiniVmm.Devices;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Storage;

namespace MiniVmm.Tests.Machine;

/// <summary>What a machine with firmware is to be.</summary>
public sealed class FirmwarePlanTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public FirmwarePlanTests() => File.WriteAllBytes(_file, [.. Enumerable.Range(0, 256 << 10).Select(i => (byte)(i >> 12))]);

    private MachineOptions Options => new() { Firmware = _file };

    [Fact]
    public void Firmware_ends_at_4_GiB_and_its_last_part_is_below_1_MiB_too()
    {
        using MachinePlan plan = MachinePlan.Create(Options);

        Assert.Contains((new GuestRange(0xfffc_0000, 0x4_0000), "firmware"), plan.Map);
        Assert.Equal((0xe0000UL, 0x20000), (plan.Boot.Segments[0].Address, plan.Boot.Segments[0].Data.Length));
        Assert.Equal(0x20, plan.Boot.Segments[0].Data.Span[0]);
        Assert.Single(plan.Boot.Segments);
    }

    [Fact]
    public void Virtio_devices_are_on_the_PCI_bus_behind_the_chipset()
    {
        using MachinePlan plan = MachinePlan.Create(Options with { Disks = [new DiskOptions { File = "a.img" }], Rng = true });

        Assert.Equal(["00:02.0", "00:03.0"], plan.Virtio.OfType<VirtioPciSlot>().Select(slot => slot.Slot.ToString()));
        Assert.Null(plan.PciRoot!.ConfigurationSpace);
        Assert.Equal(new GuestRange(0x8000_0000, 0x7ec0_0000), plan.PciRoot.Memory);
    }

    /// <summary>The paths are QEMU's (`info qtree` of a machine "pc"), the lowest index first.</summary>
    [Fact]
    public void Disks_that_have_a_place_in_the_boot_order_are_known_to_firmware_by_their_paths()
    {
        MachineOptions options = Options with
        {
            Disks =
            [
                new() { File = "a", BootIndex = 3 },
                new() { File = "b" },
                new() { File = "c", BootIndex = 0 },
                new() { File = "d", Interface = DiskInterface.Ide, BootIndex = 1 },
                new() { File = "e", Interface = DiskInterface.Ide },
                new() { File = "f", Interface = DiskInterface.Cdrom },
                new() { File = "g", Interface = DiskInterface.Cdrom, BootIndex = 2 },
            ],
        };

        byte[] file = FirmwareBootOrder.Of(options, VirtioSlot.For(options))!;

        Assert.Equal(
            "/pci@i0cf8/scsi@4/disk@0,0\n/pci@i0cf8/ide@1,1/drive@0/disk@0\n/pci@i0cf8/ide@1,1/drive@1/disk@1\n/pci@i0cf8/scsi@2/disk@0,0\0",
            System.Text.Encoding.ASCII.GetString(file));
        options = Options with { Disks = [new() { File = "a" }, new() { File = "f", Interface = DiskInterface.Cdrom }] };
        Assert.Null(FirmwareBootOrder.Of(options, VirtioSlot.For(options)));
    }

    [Fact]
    public void PCI_memory_begins_above_RAM()
    {
        using MachinePlan plan = MachinePlan.Create(Options with { Memory = new(4 * MemoryLayout.GiB) });

        Assert.Equal(MemoryLayout.HoleStart, plan.PciRoot!.Memory.Start);
    }

    [Fact]
    public void A_kernel_that_firmware_boots_is_a_bzImage() => Assert.Equal(
        $"{_file}: Firmware {_file} boots a Linux bzImage or a disk, and this is none; leave out Firmware",
        Refusal(Options with { Kernel = _file }));

    [Fact]
    public void A_command_line_is_for_a_kernel() => Assert.Equal(
        $"Append: is for a kernel, and Firmware {_file} boots none of that kind", Refusal(Options with { CommandLine = "quiet" }));

    [Fact]
    public void A_bzImage_goes_to_firmware_in_its_parts()
    {
        string kernel = _file + ".bz";
        byte[] image = new byte[8192];
        image[0x1f1] = 3;
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        (image[0x206], image[0x207]) = (0x0f, 2);
        BitConverter.TryWriteBytes(image.AsSpan(0x22c), 0x7fff_ffff);
        image[2048] = 0xeb;
        try
        {
            File.WriteAllBytes(kernel, image);
            FwCfgItems items = new();
            FirmwareKernel.Describe(
                items, Options with { Kernel = kernel, CommandLine = "quiet", Initrds = [new(_file)] }, new GuestMemoryMap(64 << 20));
            Dictionary<ushort, byte[]> all = items.ByNumber();

            Assert.Equal(image[2048..], all[0x11]);
            Assert.Equal("quiet\0"u8.ToArray(), all[0x15]);
            Assert.Equal((2048, 0xb0, 0x80), (all[0x18].Length, all[0x18][0x210], all[0x18][0x211]));
            Assert.Equal((0x2_0000u, 256u << 10), (BitConverter.ToUInt32(all[0x18], 0x228), BitConverter.ToUInt32(all[0x0b])));
            uint initrd = BitConverter.ToUInt32(all[0x0a]);
            Assert.Equal(initrd, BitConverter.ToUInt32(all[0x18], 0x218));
            Assert.InRange(initrd + (256u << 10), 63u << 20, (64u << 20) - 0x4_0000);
        }
        finally
        {
            File.Delete(kernel);
        }
    }

    [Fact]
    public void Variables_are_those_of_firmware_and_whole_pages()
    {
        string missing = _file + ".none";
        Assert.Equal(
            $"FirmwareVars {missing}: no such file; copy the template of your firmware there, as OVMF_VARS_4M.fd",
            Refusal(Options with { FirmwareVariables = missing }));
        Assert.Equal(
            $"FirmwareVars {_file}: are those of Firmware; give that too",
            Refusal(new() { Kernel = "none", FirmwareVariables = _file }));
        string odd = _file + ".odd";
        try
        {
            File.WriteAllBytes(odd, new byte[100]);
            Assert.StartsWith($"FirmwareVars {odd}: 100 bytes are no variables", Refusal(Options with { FirmwareVariables = odd }), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(odd);
        }
    }

    [Theory]
    [InlineData(4097)]
    [InlineData((16 << 20) + 4096)]
    public void What_is_no_image_is_refused(int length)
    {
        using (FileStream file = File.OpenWrite(_file))
            file.SetLength(length);

        Assert.StartsWith($"Firmware {_file}: {length} bytes are no firmware, which is whole pages", Refusal(Options), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_ones_own_takes_the_place_of_one_that_only_shows_more()
    {
        using MachinePlan plan = MachinePlan.Create(Options with { FwCfg = [new("etc/sercon-port", null, "")] });
        Assert.Equal("already", Refusal(Options with { FwCfg = [new("etc/table-loader", null, "")] }).Split(' ')[^1]);
    }

    [Fact]
    public void Without_firmware_nothing_is_different()
    {
        MachineOptions options = new() { Kernel = "kernel", Virtio = VirtioBus.Mmio, Rng = true };

        Assert.False(options.HasPci || options.HasFwCfg);
        Assert.IsType<VirtioMmioSlot>(Assert.Single(VirtioSlot.For(options)));
    }

    public void Dispose() => File.Delete(_file);

    private static string Refusal(MachineOptions options) =>
        Assert.Throws<BadInputException>(() => MachinePlan.Create(options)).Message;
}
