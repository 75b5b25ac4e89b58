namespace MiniVmm.Cpu;

/// <summary>
/// What KVM makes of a named model, by QEMU's rules: features that every guest under KVM has or has not, and features that
/// mean nothing without another.
/// </summary>
internal static class CpuFeatureRules
{
    // What a guest under KVM is faster with, whatever processor it sees. KVM's own are those of Linux 5.8, in every model,
    // so that a newer host does not change what a guest sees.
    private static readonly string[] Always =
    [
        "x2apic", "hypervisor",
        "kvmclock", "kvm-nopiodelay", "kvm-asyncpf", "kvm-steal-time", "kvm-pv-eoi", "kvm-pv-unhalt", "kvm-pv-tlb-flush",
        "kvm-asyncpf-vmexit", "kvm-pv-ipi", "kvm-poll-control", "kvm-pv-sched-yield", "kvm-asyncpf-int",
        "kvmclock-stable-bit",
    ];

    // Models have them as their processors do; a guest has them only if asked.
    private static readonly string[] OnlyIfAsked = ["acpi", "monitor", "svm"];

    // Nothing without counters.
    private static readonly string[] Counters = ["pdcm", "arch-lbr", "perfmon-v2"];

    private static readonly (string Needed, CpuFeatureWord Word)[] WordsOfOthers =
    [
        ("xsave", new(0xD, 1, CpuidRegister.Eax)),
        ("svm", new(0x8000000A, 0, CpuidRegister.Edx)),
        ("intel-pt", new(0x14, 0, CpuidRegister.Ecx)),
        ("avx10", new(0x24, 0, CpuidRegister.Ebx)),
        ("arch-capabilities", new(CpuFeatures.ArchCapabilities, 0, CpuidRegister.Msr)),
        ("core-capability", new(CpuFeatures.CoreCapabilities, 0, CpuidRegister.Msr)),
        ("pdcm", new(CpuFeatures.PerfCapabilities, 0, CpuidRegister.Msr)),
    ];

    /// <summary>The features that a guest of a named model is to have, those of the topology left out.</summary>
    public static HashSet<CpuFeature> Wanted(CpuSelection selection)
    {
        HashSet<CpuFeature> wanted = [.. selection.Model.Features!];
        wanted.ExceptWith(OnlyIfAsked.Select(CpuFeatures.Find));
        if (!selection.HasPmu)
            wanted.ExceptWith(Counters.Select(CpuFeatures.Find));
        wanted.UnionWith(Always.Select(CpuFeatures.Find));
        foreach ((CpuFeature feature, bool on) in selection.Changes)
        {
            if (on)
                wanted.Add(feature);
            else
                wanted.Remove(feature);
        }

        wanted.RemoveWhere(FollowsTopology);
        if (!selection.Properties.ShowsKvm)
            wanted.RemoveWhere(IsKvms);

        HashSet<CpuFeature> asked = [.. selection.Changes.Where(change => change.On).Select(change => change.Feature)];
        foreach ((string needed, CpuFeatureWord word) in WordsOfOthers)
        {
            if (!wanted.Contains(CpuFeatures.Find(needed)))
                wanted.RemoveWhere(feature => feature.Word == word && !asked.Contains(feature));
        }

        return wanted;
    }

    /// <summary>Whether the topology decides on the feature, whatever was asked for.</summary>
    public static bool FollowsTopology(CpuFeature feature) => feature.Name is "ht" or "cmp-legacy";

    /// <summary>Whether it is an offer of KVM's to guests that know it.</summary>
    public static bool IsKvms(CpuFeature feature) => feature.Word.Function == KvmSignature.Features;
}
