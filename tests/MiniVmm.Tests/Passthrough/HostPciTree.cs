using MiniVmm.Host;
using MiniVmm.Passthrough;
using MiniVmm.Tests.Measurement;

namespace MiniVmm.Tests.Passthrough;

/// <summary>A made-up sysfs with PCI functions, drivers and IOMMU groups.</summary>
internal sealed class HostPciTree : IDisposable
{
    private readonly HostTree _tree = HostTree.Empty;

    public HostFiles Files => _tree.Files;

    public HostPciBus Bus => new(Files);

    /// <summary>A host with an NVMe disk on its own, and a network card and a sound card that share a group.</summary>
    public static HostPciTree Typical(string nvme = "nvme", string? card = "e1000e", string? sound = "snd_hda_intel") =>
        new HostPciTree()
            .Add("0000:00:00.0", 0x8086, 0x29c0, 0x060000, driver: null, group: 0)
            .Add("0000:00:01.0", 0x8086, 0x1234, 0x060400, "pcieport", group: 1)
            .Add("0000:01:00.0", 0x1b36, 0x0010, 0x010802, nvme, group: 2)
            .Add("0000:02:00.0", 0x8086, 0x10d3, 0x020000, card, group: 3)
            .Add("0000:02:00.1", 0x8086, 0x2668, 0x040300, sound, group: 3)
            .AddVfio();

    public HostPciTree Add(string address, ushort vendor, ushort device, uint code, string? driver, int? group)
    {
        string folder = $"/sys/bus/pci/devices/{address}";
        _tree.Add($"{folder}/vendor", $"0x{vendor:x4}\n").Add($"{folder}/device", $"0x{device:x4}\n")
            .Add($"{folder}/class", $"0x{code:x6}\n");
        if (driver is not null)
            _tree.AddLink($"{folder}/driver", $"../../../bus/pci/drivers/{driver}");
        if (group is { } number)
        {
            _tree.AddLink($"{folder}/iommu_group", $"../../../kernel/iommu_groups/{number}")
                .AddLink($"/sys/kernel/iommu_groups/{number}/devices/{address}", $"../../../../devices/{address}");
        }

        return this;
    }

    public HostPciTree AddFile(string path, string text = "")
    {
        _tree.Add(path, text);
        return this;
    }

    public HostPciTree AddLink(string path, string target)
    {
        _tree.AddLink(path, target);
        return this;
    }

    /// <summary>The module vfio-pci is loaded.</summary>
    public HostPciTree AddVfio() => AddFile("/sys/bus/pci/drivers/vfio-pci/new_id");

    public HostPciFunction this[string address] =>
        Bus.Find(HostPciAddress.TryParse(address, out HostPciAddress parsed) ? parsed : throw new FormatException(address))!;

    /// <summary>What is in a function's way, for a user who may open every file but those.</summary>
    public PassthroughObstacle? Obstacle(string address, params string[] forbidden) =>
        PassthroughObstacle.Find(Bus, this[address], path => !forbidden.Contains(path));

    public void Dispose() => _tree.Dispose();
}
