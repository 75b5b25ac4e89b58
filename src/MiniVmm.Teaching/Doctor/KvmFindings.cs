using System.Globalization;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Measurement;
using static MiniVmm.Teaching.Doctor.FindingState;

namespace MiniVmm.Teaching.Doctor;

/// <summary>Whether there is a KVM, whether this user may use it, and what kind it is.</summary>
internal static class KvmFindings
{
    private const string Device = "/dev/kvm";

    public static FindingGroup Of(DoctorHost host)
    {
        List<Finding> findings = [];
        Surroundings around = Surroundings.Find(host.Files, host.Environment);
        if (around is not { Container: null, Runner: null })
            findings.Add(new("surroundings", Fact, string.Join(", on ", ((string?[])[around.Container, around.Runner]).OfType<string>())));
        findings.Add(Processor(host));
        HostKvm kvm = HostKvm.Read(host.Files);
        findings.Add(Module(host, kvm, around));
        findings.Add(Node(host, around));
        if (host.Kvm.Node is not null)
            findings.Add(Permission(host, around));
        if (host.Kvm.Error is not null)
            return new("KVM", findings);
        findings.Add(new("API", Good, $"version {KvmConstants.KVM_API_VERSION}, the only one there is"));
        findings.Add(Needs(host));
        findings.Add(Guest(host));
        if (host.Kvm.Timing is { } timing)
            findings.Add(Supervisor(timing));
        findings.Add(Limits(host));
        findings.Add(Nested(host, kvm));
        return new("KVM", findings);
    }

    private static Finding Processor(DoctorHost host)
    {
        HostProcessor processor = HostProcessor.Read(host.Files);
        string name = processor.ModelName ?? processor.Vendor ?? "not readable";
        string inside = processor.Hypervisor == true ? "; this host is itself a virtual machine" : "";
        return Flag(host) switch
        {
            "vmx" => new("processor", Good, $"{name}, with VT-x (vmx){inside}"),
            "svm" => new("processor", Good, $"{name}, with AMD-V (svm){inside}"),
            _ => new("processor", host.Kvm.Error is null ? Fact : Lacking, $"{name}, without vmx or svm in its flags{inside}",
                host.Kvm.Error is null ? null
                : processor.Hypervisor == true ? "turn nested virtualisation on in the hypervisor below, and give this machine a processor with vmx or svm"
                : "switch virtualisation (VT-x or AMD-V, SVM) on in the firmware's setup"),
        };
    }

    private static string? Flag(DoctorHost host)
    {
        foreach (ReadOnlySpan<char> line in (host.Files.ReadAllText("/proc/cpuinfo") ?? "").AsSpan().EnumerateLines())
        {
            if (!line.StartsWith("flags", StringComparison.Ordinal))
                continue;
            string[] flags = line.ToString().Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            return flags.Contains("vmx") ? "vmx" : flags.Contains("svm") ? "svm" : null;
        }

        return null;
    }

    private static Finding Module(DoctorHost host, HostKvm kvm, Surroundings around)
    {
        const string name = "module";
        if (kvm.Modules is { Count: > 0 } modules)
            return new(name, Good, string.Join(", ", modules));
        if (host.Kvm.Error is null)
            return new(name, Fact, "none of kvm_intel, kvm_amd is listed in /sys/module; KVM answers all the same");
        string module = Flag(host) switch { "vmx" => "kvm_intel", "svm" => "kvm_amd", _ => "" };
        if (module.Length == 0)
            return new(name, Lacking, "neither kvm_intel nor kvm_amd is loaded, and this processor would not let them");
        return around.Container is null
            ? new(name, Lacking, $"{module} is not loaded", "load it", $"{host.Sudo}modprobe {module}")
            : new(name, Lacking, $"{module} is not loaded", "load it on the host, outside of the container", $"sudo modprobe {module}");
    }

    private static Finding Node(DoctorHost host, Surroundings around)
    {
        if (host.Kvm.Node is not { } node)
        {
            return new(Device, Fatal, "there is no such file", around.ForDevice ?? "see the processor and the module above");
        }

        return node.IsCharacterDevice
            ? new(Device, Good, $"character device {node.Major}:{node.Minor}, mode {node.Permissions}, group {GroupName(host, node.Group)}")
            : new(Device, Fatal, "it is no character device", "remove it, and let udev make it", $"{host.Sudo}rm {Device}", $"{host.Sudo}udevadm trigger");
    }

    private static Finding Permission(DoctorHost host, Surroundings around)
    {
        const string name = "permission";
        if (host.Kvm.Error is not { } error)
            return new(name, Good, $"{host.User} may open {Device}");
        if (host.Kvm.OpenErrno is not (Errno.EACCES or Errno.EPERM))
            return new("open", Fatal, error);
        string problem = $"{host.User} may not open {Device}";
        DeviceNode node = host.Kvm.Node!.Value;
        if (around.ForPermission(node.Group) is { } advice)
            return new(name, Fatal, problem, advice);
        string group = GroupName(host, node.Group);
        return node is { IsForItsGroup: true, Group: not 0 }
            ? new(name, Fatal, problem, $"join its group {group} and log in again; or, until the next boot, the second command",
                $"sudo usermod -aG {group} {host.User}", $"sudo setfacl -m u:{host.User}:rw {Device}")
            : new(name, Fatal, problem, "let this user in, until the next boot", $"sudo setfacl -m u:{host.User}:rw {Device}");
    }

    private static string GroupName(DoctorHost host, uint group)
    {
        string number = group.ToString(CultureInfo.InvariantCulture);
        foreach (string line in (host.Files.ReadAllText("/etc/group") ?? "").Split('\n'))
        {
            if (line.Split(':') is [string name, _, string id, ..] && id == number)
                return HostFiles.Printable(name);
        }

        return number;
    }

    private static Finding Needs(DoctorHost host)
    {
        CapabilityPurpose[] needed = [.. CapabilityPurpose.All.Where(purpose => purpose.Use == CapabilityPurpose.Needed)];
        CapabilityPurpose[] missing = [.. needed.Where(purpose => host.Kvm[purpose.Capability] == 0)];
        return missing.Length == 0
            ? new("capabilities", Good, $"the {needed.Length} that every machine needs are there")
            : new("capabilities", Fatal, $"this KVM lacks {string.Join(", ", missing.Select(purpose => $"{purpose.Capability} ({purpose.Purpose})"))}",
                "use a newer kernel, with KVM's own interrupt controllers");
    }

    private static Finding Guest(DoctorHost host) => host.Kvm.RunError is { } error
        ? new("a guest", Fatal, $"one of two instructions did not run: {error}")
        : new("a guest", Good, "one of two instructions ran to its HLT");

    private static Finding Supervisor(SupervisorTiming timing)
    {
        const string name = "supervisor code";
        string limit = $"{SupervisorTiming.EmulatedFrom.ToString("0", CultureInfo.InvariantCulture)} ns";
        return timing.IsEmulated
            ? new(name, Lacking,
                $"emulated: {timing.Text}, where a processor takes less than {limit}. This KVM carries out a guest's kernel "
                + "instruction by instruction; guests' user code is not affected. Test kernels run, but slowly; Linux does not "
                + "get to its user space",
                "for Linux, use a machine whose processor has vmx or svm")
            : new(name, Good, $"on the processor: {timing.Text} (from {limit} on it would be called emulated)");
    }

    private static Finding Limits(DoctorHost host) => new(
        "limits", Fact,
        $"{host.Kvm[KvmCapability.KVM_CAP_MAX_VCPUS]} vCPUs ({host.Kvm[KvmCapability.KVM_CAP_NR_VCPUS]} recommended), "
        + $"ids below {host.Kvm[KvmCapability.KVM_CAP_MAX_VCPU_ID]}, {host.Kvm[KvmCapability.KVM_CAP_NR_MEMSLOTS]} memory slots");

    private static Finding Nested(DoctorHost host, HostKvm kvm)
    {
        const string name = "nested";
        foreach (string module in kvm.Modules ?? [])
        {
            if (host.Files.ReadSwitch($"/sys/module/{module}/parameters/nested") is not { } on)
                continue;
            return on
                ? new(name, Good, "guests can have guests of their own")
                : new(name, Lacking, "guests cannot have guests of their own", "if they are to, while none runs",
                    $"{host.Sudo}modprobe -r {module}", $"{host.Sudo}modprobe {module} nested=1");
        }

        return new(name, Fact, "guests cannot have guests of their own: this KVM has no such parameter");
    }
}
