using System.Globalization;
using MiniVmm.Host;

namespace MiniVmm.Passthrough;

/// <summary>The host's PCI functions and IOMMU groups, read from sysfs anew at each call.</summary>
internal sealed class HostPciBus(HostFiles files)
{
    public const string DeviceFolder = "/sys/bus/pci/devices";
    private const string GroupFolder = "/sys/kernel/iommu_groups";

    /// <summary>The files that it reads.</summary>
    public HostFiles Files => files;

    /// <summary>Whether an IOMMU of the host translates for any device.</summary>
    public bool HasIommu => files.List(GroupFolder) is { Count: > 0 };

    /// <summary>All functions, by their addresses.</summary>
    public IReadOnlyList<HostPciFunction> List() => Read(DeviceFolder);

    /// <summary>One function; null if the host has none there.</summary>
    public HostPciFunction? Find(HostPciAddress address)
    {
        string folder = $"{DeviceFolder}/{address}";
        if (ReadHex($"{folder}/vendor") is not { } vendor || ReadHex($"{folder}/device") is not { } device)
            return null;
        return new HostPciFunction(
            address,
            (ushort)vendor,
            (ushort)device,
            (ReadHex($"{folder}/class") ?? 0) & 0xff_ffff,
            files.ReadLinkName($"{folder}/driver"),
            int.TryParse(
                files.ReadLinkName($"{folder}/iommu_group"), NumberStyles.None, CultureInfo.InvariantCulture, out int group)
                ? group
                : null);
    }

    /// <summary>The functions of an IOMMU group, which can only be handed out together.</summary>
    public IReadOnlyList<HostPciFunction> Group(int group) => Read($"{GroupFolder}/{group}/devices");

    /// <summary>Whether VFIO made the group up for a device without an IOMMU (enable_unsafe_noiommu_mode).</summary>
    public bool IsMadeUp(int group) => files.ReadLine($"{GroupFolder}/{group}/name") == "vfio-noiommu";

    private IReadOnlyList<HostPciFunction> Read(string folder)
    {
        List<HostPciFunction> functions = [];
        foreach (string name in files.List(folder) ?? [])
        {
            if (HostPciAddress.TryParse(name, out HostPciAddress address) && Find(address) is { } function)
                functions.Add(function);
        }

        return [.. functions.OrderBy(function => function.Address)];
    }

    private uint? ReadHex(string path) =>
        files.ReadLine(path) is ['0', 'x', .. { } digits]
            && uint.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint value)
            ? value
            : null;
}
