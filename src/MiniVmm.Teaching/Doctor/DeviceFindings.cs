using MiniVmm.Passthrough;
using static MiniVmm.Teaching.Doctor.FindingState;

namespace MiniVmm.Teaching.Doctor;

/// <summary>Whether devices of the host can be handed to a guest.</summary>
internal static class DeviceFindings
{
    private const string Container = "/dev/vfio/vfio";

    public static FindingGroup Of(DoctorHost host)
    {
        HostPciBus bus = new(host.Files);
        int groups = host.Files.List("/sys/kernel/iommu_groups")?.Count ?? 0;
        if (groups == 0)
        {
            PassthroughObstacle none = PassthroughObstacle.NoIommu(bus);
            return new("devices", [new("IOMMU", Lacking, none.Problem, none.Advice)]);
        }

        int functions = bus.List().Count(function => function.Group is not null);
        return new("devices",
        [
            new("IOMMU", Good, $"{functions} PCI functions in {groups} group{(groups == 1 ? "" : "s")}; 'minivmm devices' says what each lacks for a guest"),
            host.Files.Exists(Container)
                ? new("VFIO", host.MayOpen(Container) ? Good : Lacking, host.MayOpen(Container) ? "loaded" : $"{host.User} may not open {Container}")
                : new("VFIO", Lacking, "not loaded", "for --device vfio=", $"{host.Sudo}modprobe vfio-pci"),
        ]);
    }
}
