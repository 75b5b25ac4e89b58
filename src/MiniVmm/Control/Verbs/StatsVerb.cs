using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>stats</c>: shows memory, balloon, KSM, devices and exits.</summary>
internal sealed class StatsVerb : ControlVerb
{
    private static readonly JsonShape<VcpuCounts> VcpuShape = new JsonShape<VcpuCounts>()
        .Flag("present", vcpu => vcpu.IsPresent, "False for one that has been taken out of the machine.")
        .Count("exits", vcpu => vcpu.Exits)
        .Counters("byReason", vcpu => vcpu.ByReason, "Under KVM's names; reasons that never occurred are left out.")
        .Counters(
            "assisted",
            vcpu => vcpu.Assisted,
            "Instructions that KVM could not emulate and MiniVmm completed, by mnemonic; left out if there were none.",
            required: false)
        .Counters(
            "kvm",
            vcpu => vcpu.Kvm?.Counts,
            "Events that KVM counts of it (KVM_GET_STATS_FD), under the kernel's names, without those that never occurred; left out before Linux 5.14, or while a device holds it up.",
            required: false)
        .Counters("kvmNanoseconds", vcpu => vcpu.Kvm?.Nanoseconds, "Times that KVM measures of it, the same way.", required: false);

    private static readonly JsonShape<DeviceCounters> DeviceShape = new JsonShape<DeviceCounters>()
        .Text("name", device => device.Name)
        .Text("kind", device => device.Kind)
        .Counters("counters", device => device.Counters);

    private static readonly JsonShape<ProcessMemory> KsmShape = new JsonShape<ProcessMemory>()
        .KnownCount(
            "mergingPages",
            memory => memory.KsmMergingPages,
            "Pages of 4 KiB of this process that KSM has merged with others; null before Linux 5.19.")
        .Counters("process", memory => memory.KsmOfProcess, "/proc/self/ksm_stat, under the kernel's names.")
        .Counters("host", memory => memory.KsmOfHost, "/sys/kernel/mm/ksm, under the kernel's names.");

    private static readonly JsonShape<Balloon> BalloonShape = new JsonShape<Balloon>()
        .Bytes("targetBytes", balloon => balloon.State.TargetBytes)
        .Bytes("actualBytes", balloon => balloon.State.ActualBytes)
        .Counters(
            "guest",
            balloon => balloon.Guest,
            "The guest's own figures (virtio 1.2, section 5.5.6.3), sizes in bytes; left out if it has not answered.",
            required: false);

    private static readonly JsonShape<Statistics> MemoryShape = new JsonShape<Statistics>("memory")
        .Bytes("ramBytes", all => all.Call.Machine.MemoryBytes, "Guest RAM, including what the balloon holds.")
        .Text("backing", all => all.Machine.Backing, "What backs guest RAM, for people.")
        .KnownCount(
            "residentBytes",
            all => all.Process.ResidentBytes,
            "The process's resident set (VmRSS), including MiniVmm's own memory, excluding hugetlbfs pages.")
        .KnownCount("swappedBytes", all => all.Process.SwappedBytes, "VmSwap.")
        .KnownCount("hugetlbBytes", all => all.Process.HugetlbBytes, "HugetlbPages.")
        .InnerOrNull("hotplug", MemoryVerb.Shape, all => all.Call.Machine.Memory, "Null for a machine without a max.")
        .InnerOrNull("balloon", BalloonShape, all => all.Balloon, "Null for a machine without one.")
        .Inner("ksm", KsmShape, all => all.Process);

    private static readonly JsonShape<Statistics> Shape = new JsonShape<Statistics>("statistics")
        .Seconds("uptimeSeconds", all => all.Call.Uptime ?? 0)
        .List("vcpus", VcpuShape, all => all.Machine.Vcpus, minItems: 1, about: "By index.")
        .Inner("memory", MemoryShape, all => all)
        .Counters("kvm", all => all.Machine.Kvm, "What KVM counts of the VM, the same way.", required: false)
        .List("devices", DeviceShape, all => all.Machine.Devices);

    public override string Name => "stats";

    public override string Help => "Show memory, balloon, KSM, device counters and exits since the start";

    public override bool ChangesMachine => false;

    internal override JsonShape Answer => Shape;

    internal override Action<Utf8JsonWriter> Execute(VerbCall call)
    {
        MachineStatistics machine = call.Machine.ReadStatistics();
        BalloonState? balloon = call.Machine.Balloon;
        return Shape.Answer(new Statistics(
            call,
            machine,
            ProcessMemory.Read(call.Host),
            balloon is null ? null : new Balloon(balloon, machine.GuestMemory)));
    }

    private protected override IReadOnlyList<AnswerTable> Show(JsonElement content) => StatsTables.Of(new(content));

    private sealed record Statistics(VerbCall Call, MachineStatistics Machine, ProcessMemory Process, Balloon? Balloon);

    private sealed record Balloon(BalloonState State, IReadOnlyDictionary<string, long>? Guest);
}
