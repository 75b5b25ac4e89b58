using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Teaching.Doctor;
using MiniVmm.Tests.Cli;
using MiniVmm.Tests.Measurement;

namespace MiniVmm.Tests.Teaching;

/// <summary>Made-up hosts, and what the doctor says of each.</summary>
public sealed class DoctorTests
{
    private static readonly DeviceNode KvmsGroup = new(0x2000 | 0x1b0, 0, 104, 10, 232);
    private static readonly DeviceNode RootsAlone = new(0x2000 | 0x180, 0, 0, 10, 232);

    [Fact]
    public void A_host_with_all_that_is_needed_runs_guests()
    {
        using HostTree host = HostTree.Intel.Add("/sys/module/kvm_intel/parameters/nested", "Y\n");

        DoctorReport report = Report(host, Working(0.4));

        Assert.True(report.CanRun);
        Assert.Equal("ok|Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz, with VT-x (vmx)", Line(report, "processor"));
        Assert.Equal("ok|kvm_intel", Line(report, "module"));
        Assert.StartsWith("ok|on the processor: 0.4 ns", Line(report, "supervisor code"), StringComparison.Ordinal);
        Assert.Equal("ok|guests can have guests of their own", Line(report, "nested"));
        Assert.EndsWith("\nGuests can run here.\n", Text(report), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(99.9, false)]
    [InlineData(100, true)]
    [InlineData(513.6, true)]
    public void Supervisor_code_that_takes_a_tenth_of_a_microsecond_an_instruction_is_emulated(double nanoseconds, bool emulated)
    {
        using HostTree host = HostTree.AmdGuest;

        DoctorReport report = Report(host, Working(nanoseconds));

        Assert.True(report.CanRun);
        Assert.Equal(emulated, Line(report, "supervisor code").StartsWith("lacking|emulated: ", StringComparison.Ordinal));
        Assert.Equal(emulated, Text(report).EndsWith("Guests can run here, their kernels slowly.\n", StringComparison.Ordinal));
    }

    [Fact]
    public void A_processor_with_virtualisation_lacks_but_its_module()
    {
        using HostTree host = HostTree.Empty.Add("/proc/cpuinfo", "flags\t\t: fpu svm\n").Add("/sys/module/tun/refcnt", "0\n");

        DoctorReport report = Report(host, new KvmProbe { Error = "/dev/kvm: no such file", OpenErrno = Errno.ENOENT });

        Assert.False(report.CanRun);
        Assert.Equal(["sudo modprobe kvm_amd"], Find(report, "module").Commands);
        Assert.Contains("there is no such file", Text(report)[Text(report).IndexOf("Guests cannot run here:", StringComparison.Ordinal)..], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("fpu hypervisor", "nested virtualisation")]
    [InlineData("fpu", "firmware's setup")]
    public void A_processor_without_virtualisation_is_told_how_it_gets_it(string flags, string remedy)
    {
        using HostTree host = HostTree.Empty.Add("/proc/cpuinfo", $"model name : Some CPU\nflags\t: {flags}\n");

        DoctorReport report = Report(host, new KvmProbe { Error = "no such file", OpenErrno = Errno.ENOENT });

        Assert.Contains(remedy, Find(report, "processor").Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_user_outside_the_group_is_told_to_join_it()
    {
        using HostTree host = HostTree.Intel.Add("/etc/group", "root:x:0:\nkvm:x:104:\n");

        Finding permission = Find(Report(host, Closed(KvmsGroup)), "permission");

        Assert.Equal(FindingState.Fatal, permission.State);
        Assert.Equal("alice may not open /dev/kvm", permission.Text);
        Assert.Equal(["sudo usermod -aG kvm alice", "sudo setfacl -m u:alice:rw /dev/kvm"], permission.Commands);
    }

    [Fact]
    public void Where_the_device_is_roots_alone_no_group_helps()
    {
        using HostTree host = HostTree.Intel;

        Finding permission = Find(Report(host, Closed(RootsAlone)), "permission");

        Assert.Equal(["sudo setfacl -m u:alice:rw /dev/kvm"], permission.Commands);
    }

    [Theory]
    [InlineData("/.dockerenv", "", "", "docker run --device /dev/kvm")]
    [InlineData("/run/.containerenv", "", "", "podman run --device /dev/kvm")]
    [InlineData("/proc/1/cgroup", "0::/kubepods/besteffort/pod1\n", "", "devices.kubevirt.io/kvm")]
    [InlineData("/proc/1/cgroup", "0::/system.slice/docker-abc.scope\n", "", "docker run")]
    [InlineData("/proc/1/cgroup", "0::/\n", "container=lxc", "--device /dev/kvm")]
    [InlineData("/proc/1/cgroup", "0::/\n", "GITHUB_ACTIONS=true", "runs-on: ubuntu-latest")]
    [InlineData("/.dockerenv", "", "GITHUB_ACTIONS=true", "options: --device /dev/kvm")]
    [InlineData("/.dockerenv", "", "GITLAB_CI=true", "config.toml")]
    [InlineData("/proc/1/cgroup", "0::/\n", "CI=true", "machine with KVM")]
    public void A_container_or_a_job_is_told_what_to_add(string file, string content, string variable, string advice)
    {
        using HostTree host = HostTree.Empty.Add(file, content);
        KvmProbe none = new() { Error = "no such file", OpenErrno = Errno.ENOENT };

        DoctorReport report = Report(host, none, variable);

        Assert.Contains(advice, Find(report, "/dev/kvm").Remedy, StringComparison.Ordinal);
        Assert.NotEmpty(Find(report, "surroundings").Text);
    }

    [Theory]
    [InlineData("/.dockerenv", "", "docker run --device /dev/kvm --group-add 104")]
    [InlineData("/run/.containerenv", "", "keep-groups")]
    [InlineData("/.dockerenv", "KUBERNETES_SERVICE_HOST=10.0.0.1", "supplementalGroups: [104]")]
    [InlineData("/etc/hostname", "GITHUB_ACTIONS=true", "sudo chmod a+rw /dev/kvm")]
    public void A_device_that_is_there_but_closed_needs_something_else(string file, string variable, string advice)
    {
        using HostTree host = HostTree.Empty.Add(file, "");

        Assert.Contains(advice, Find(Report(host, Closed(KvmsGroup), variable), "permission").Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_machine_booted_from_a_containers_files_is_no_container()
    {
        using HostTree host = HostTree.Intel.Add("/.dockerenv", "").Add("/proc/2/comm", "kthreadd\n");

        Assert.DoesNotContain("surroundings", Text(Report(host, Working(0.4))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_KVM_without_what_every_machine_needs_is_named_as_such()
    {
        using HostTree host = HostTree.Intel;
        KvmProbe probe = Working(0.4);
        probe = probe with { Capabilities = [.. probe.Capabilities.Where(answer => answer.Capability != KvmCapability.KVM_CAP_IRQFD)] };

        DoctorReport report = Report(host, probe);

        Assert.False(report.CanRun);
        Assert.Contains("KVM_CAP_IRQFD", Line(report, "capabilities"), StringComparison.Ordinal);
    }

    [Fact]
    public void What_spoils_measurements_comes_with_the_command_against_it()
    {
        using HostTree host = HostTree.Empty
            .Add("/proc/loadavg", "3.10 1 1 1/1 1\n")
            .Add("/sys/devices/system/cpu/smt/active", "1\n")
            .Add("/sys/devices/system/cpu/intel_pstate/no_turbo", "0\n")
            .Add("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n")
            .Add("/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", "intel_pstate\n");

        DoctorReport report = Report(host, Working(0.4));

        Assert.All(["load", "SMT", "turbo", "frequency"], name => Assert.Equal(FindingState.Disturbing, Find(report, name).State));
        Assert.Equal(["echo off | sudo tee /sys/devices/system/cpu/smt/control"], Find(report, "SMT").Commands);
        Assert.Equal(["echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"], Find(report, "turbo").Commands);
        Assert.Equal(["echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"], Find(report, "frequency").Commands);
    }

    [Fact]
    public void Memory_and_networks_are_found_where_the_kernel_lists_them()
    {
        using HostTree host = HostTree.Intel
            .Add("/proc/meminfo", "MemTotal:       16777216 kB\nMemAvailable:    8388608 kB\n")
            .Add("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512\n")
            .Add("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "500\n")
            .Add("/proc/mounts", "hugetlbfs /dev/hugepages hugetlbfs rw 0 0\n")
            .Add("/sys/kernel/mm/ksm/run", "1\n")
            .Add("/dev/net/tun", "")
            .Add("/proc/self/status", "CapEff:\t0000000000001000\n")
            .Add("/sys/class/net/br0/bridge/ageing_time", "0\n")
            .Add("/sys/class/net/lo/mtu", "65536\n");

        DoctorReport report = Report(host, Working(0.4));

        Assert.Equal("-|16.0 GiB, of which 8.0 GiB are available", Line(report, "RAM"));
        Assert.Equal("ok|500 of 512 free of 2 MiB", Line(report, "huge pages"));
        Assert.Equal("ok|at /dev/hugepages", Line(report, "hugetlbfs"));
        Assert.StartsWith("ok|on, ", Line(report, "KSM"), StringComparison.Ordinal);
        Assert.Equal("ok|/dev/net/tun can be opened, and interfaces be made", Line(report, "taps"));
        Assert.Equal("ok|br0", Line(report, "bridges"));
    }

    [Fact]
    public void An_empty_host_is_no_trouble()
    {
        using HostTree host = HostTree.Empty;

        string text = Text(Report(host, new KvmProbe { Error = "no such file", OpenErrno = Errno.ENOENT }));

        Assert.Contains("Guests cannot run here:", text, StringComparison.Ordinal);
        Assert.All(text.Split('\n'), line => Assert.InRange(line.Length, 0, 120));
    }

    [Fact]
    public void JSON_has_all_of_it()
    {
        using HostTree host = HostTree.Intel;
        using MemoryStream output = new();
        using (Utf8JsonWriter writer = new(output))
            DoctorJson.Write(writer, Report(host, Working(0.4)));

        using JsonDocument document = JsonDocument.Parse(Encoding.UTF8.GetString(output.ToArray()));
        JsonElement root = document.RootElement;
        Assert.True(root.GetProperty("canRun").GetBoolean());
        Assert.False(root.GetProperty("emulatesSupervisorCode").GetBoolean());
        Assert.Equal("fact", root.GetProperty("findings").EnumerateArray().First(f => f.GetProperty("name").GetString() == "limits").GetProperty("state").GetString());
        Assert.Equal(Enum.GetValues<KvmCapability>().Length, root.GetProperty("capabilities").GetArrayLength());
        Assert.Equal("needed", root.GetProperty("capabilities")[0].GetProperty("use").GetString());
    }

    [Fact]
    public void Every_capability_has_a_purpose_in_the_order_of_their_numbers() =>
        Assert.Equal(Enum.GetValues<KvmCapability>(), CapabilityPurpose.All.Select(purpose => purpose.Capability));

    [Fact]
    public void A_capability_that_the_sources_ask_for_is_said_to_be_used()
    {
        string[] folders = ["MiniVmm", "MiniVmm.Measurement"];
        HashSet<string> asked = [.. folders
            .SelectMany(folder => Directory.GetFiles(Path.Combine(Repository.Root, "src", folder), "*.cs", SearchOption.AllDirectories))
            .SelectMany(file => Regex.Matches(File.ReadAllText(file), @"KvmCapability\.(KVM_CAP_\w+)").Select(match => match.Groups[1].Value))];

        Assert.NotEmpty(asked);
        Assert.Empty(asked.Except(CapabilityPurpose.All.Where(purpose => purpose.Use is not null).Select(purpose => $"{purpose.Capability}")));
    }

    private static KvmProbe Working(double nanoseconds) => new()
    {
        Node = KvmsGroup,
        Capabilities = [.. Enum.GetValues<KvmCapability>().Select(capability => (capability, 1))],
        Timing = new SupervisorTiming(nanoseconds),
    };

    private static KvmProbe Closed(DeviceNode node) => new()
    {
        Node = node,
        Error = "/dev/kvm: permission denied",
        OpenErrno = Errno.EACCES,
    };

    private static DoctorReport Report(HostTree host, KvmProbe kvm, string variable = "") => DoctorReport.Of(new()
    {
        Files = host.Files,
        Kvm = kvm,
        Environment = name => variable.Split('=') is [string set, string value] && set == name ? value : null,
        MayOpen = _ => true,
        HasLibrary = _ => true,
        User = "alice",
        IsRoot = false,
    });

    private static Finding Find(DoctorReport report, string name) =>
        report.Groups.SelectMany(group => group.Findings).Single(finding => finding.Name == name);

    private static string Line(DoctorReport report, string name)
    {
        Finding finding = Find(report, name);
        return $"{Finding.Word(finding.State)}|{finding.Text}";
    }

    private static string Text(DoctorReport report)
    {
        using StringWriter text = new() { NewLine = "\n" };
        DoctorText.Write(text, report);
        return text.ToString();
    }
}
