namespace MiniVmm.Teaching.Doctor;

/// <summary>All that was found on a host.</summary>
internal sealed class DoctorReport
{
    private DoctorReport(DoctorHost host)
    {
        Kvm = host.Kvm;
        Groups = [KvmFindings.Of(host), MemoryFindings.Of(host), NetworkFindings.Of(host), DeviceFindings.Of(host), MeasuringFindings.Of(host)];
    }

    /// <summary>What /dev/kvm answered.</summary>
    public KvmProbe Kvm { get; }

    /// <summary>The findings, by part of the host.</summary>
    public IReadOnlyList<FindingGroup> Groups { get; }

    /// <summary>Whether guests can run here.</summary>
    public bool CanRun => !Groups.Any(group => group.Findings.Any(finding => finding.State == FindingState.Fatal));

    /// <summary>Looks a host over; reads only.</summary>
    public static DoctorReport Of(DoctorHost host) => new(host);
}
