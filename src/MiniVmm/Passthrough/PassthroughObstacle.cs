using System.Text;

namespace MiniVmm.Passthrough;

/// <summary>Why a function of the host cannot be passed to a guest now.</summary>
internal enum ObstacleKind
{
    /// <summary>It connects others, and is not for a guest.</summary>
    Bridge,

    /// <summary>No IOMMU keeps its DMA within the guest's memory.</summary>
    NoIommu,

    /// <summary>The host uses another device of its IOMMU group.</summary>
    GroupInUse,

    /// <summary>Another driver than VFIO's is bound to it, or none.</summary>
    NotBound,

    /// <summary>This user may not open its group.</summary>
    NotPermitted,
}

/// <summary>What keeps a function of the host from being passed to a guest, and what to do about it.</summary>
/// <param name="Kind">Which obstacle.</param>
/// <param name="Problem">A clause for people, without a full stop.</param>
/// <param name="Command">The shell command, for root, that is missing; null where no command helps.</param>
/// <param name="Advice">What to do instead of a command; null where there is one, or nothing can be done.</param>
internal sealed record PassthroughObstacle(ObstacleKind Kind, string Problem, string? Command = null, string? Advice = null)
{
    private const string ContainerPath = "/dev/vfio/vfio";

    /// <summary>Problem and remedy, as an error has them behind the option.</summary>
    public override string ToString() => (Command, Advice) switch
    {
        ({ } command, _) => $"{Problem}; run as root: {command}",
        (_, { } advice) => $"{Problem}; {advice}",
        _ => Problem,
    };

    /// <summary>The path by which VFIO hands a group out.</summary>
    public static string GroupPath(int group) => $"/dev/vfio/{group}";

    /// <summary>The first obstacle in a function's way, or null if it can be passed on.</summary>
    /// <param name="bus">Where it is.</param>
    /// <param name="function">One of that bus.</param>
    /// <param name="mayOpen">Whether this user may read and write a file.</param>
    public static PassthroughObstacle? Find(HostPciBus bus, HostPciFunction function, Func<string, bool> mayOpen)
    {
        if (function.IsBridge)
            return new(ObstacleKind.Bridge, "a bridge cannot be passed on");
        if (function.Group is not { } group || bus.IsMadeUp(group))
            return NoIommu(bus);
        HostPciFunction[] others =
            [.. bus.Group(group).Where(other => other.Address != function.Address && other.IsInUse)];
        if (others.Length > 0)
        {
            IEnumerable<HostPciFunction> toBind = function.IsVfio ? others : others.Prepend(function);
            return new(
                ObstacleKind.GroupInUse,
                $"the host uses other devices of its IOMMU group {group}, which are passed on together or not at all: "
                    + string.Join(", ", others.AsEnumerable()),
                BindCommand(bus, toBind));
        }

        if (!function.IsVfio)
        {
            return new(
                ObstacleKind.NotBound,
                function.Driver is { } driver ? $"its driver is {driver}, not vfio-pci" : "it has no driver; it needs vfio-pci",
                BindCommand(bus, [function]));
        }

        foreach (string path in (string[])[GroupPath(group), ContainerPath])
        {
            if (!mayOpen(path))
                return NotPermitted(path);
        }

        return null;
    }

    /// <summary>A file of VFIO's that this user may not open.</summary>
    public static PassthroughObstacle NotPermitted(string path) =>
        new(ObstacleKind.NotPermitted, $"{path} may not be opened by this user", $"chown {Environment.UserName} {path}");

    /// <summary>Why the host's IOMMU does not serve a function, or is not there at all.</summary>
    public static PassthroughObstacle NoIommu(HostPciBus bus)
    {
        const string tables = "/sys/firmware/acpi/tables";
        (string problem, string advice) = bus switch
        {
            { HasIommu: true } => ("the host's IOMMU does not serve it", "choose another device"),
            _ when bus.Files.Exists($"{tables}/DMAR") =>
                ("the host's IOMMU is off", "boot the host with intel_iommu=on on its kernel's command line"),
            _ when bus.Files.Exists($"{tables}/IVRS") =>
                ("the host's IOMMU is off", "boot the host without amd_iommu=off or iommu=off on its kernel's command line"),
            _ => ("the host has no IOMMU", "if its processor has one, switch VT-d or AMD-Vi on in its firmware's setup"),
        };
        return new(ObstacleKind.NoIommu, problem, Advice: advice);
    }

    /// <summary>Gives functions to vfio-pci, whatever has them; and only them, whatever else is of their kind.</summary>
    private static string BindCommand(HostPciBus bus, IEnumerable<HostPciFunction> functions)
    {
        HostPciFunction[] all = [.. functions];
        string addresses = string.Join(' ', all.Select(function => function.Address));
        StringBuilder command = new();
        if (!bus.Files.Exists("/sys/bus/pci/drivers/vfio-pci"))
            command.Append("modprobe vfio-pci && ");
        command.Append(all.Length > 1 ? $"for d in {addresses}; do " : $"d={addresses}; ");
        command.Append("echo vfio-pci >").Append(HostPciBus.DeviceFolder).Append("/$d/driver_override; ");
        if (all.Any(function => function.Driver is not null))
            command.Append("echo $d >").Append(HostPciBus.DeviceFolder).Append("/$d/driver/unbind; ");
        command.Append("echo $d >/sys/bus/pci/drivers_probe");
        return command.Append(all.Length > 1 ? "; done" : "").ToString();
    }
}
