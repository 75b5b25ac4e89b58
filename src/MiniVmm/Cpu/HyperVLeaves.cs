using System.Text;

namespace MiniVmm.Cpu;

/// <summary>The leaves by which a guest finds a Hyper-V, 0x40000000 to 0x40000006; KVM's own then follow 0x100 higher.</summary>
internal static class HyperVLeaves
{
    private const uint Signature = 0x40000000;
    private const uint Interface = 0x40000001;
    private const uint Version = 0x40000002;
    private const uint Privileges = 0x40000003;
    private const uint Recommendations = 0x40000004;
    private const uint Limits = 0x40000005;
    private const uint Hardware = 0x40000006;
    private const uint MovedBy = 0x100;

    private const uint Hv1 = 0x3123_7648; // "Hv#1"
    private const uint NeverNotify = uint.MaxValue;
    private const uint MostVcpus = 64;

    // What Windows of any age takes: Server 2016.
    private const uint Build = 14393;
    private const uint MajorAndMinor = 10 << 16;

    // Privileges that every one of them needs: hypercalls.
    private const uint Hypercalls = 1 << 5;

    private static readonly CpuFeatureWord Privileged = new(Privileges, 0, CpuidRegister.Eax);
    private static readonly CpuFeatureWord Extras = new(Privileges, 0, CpuidRegister.Edx);
    private static readonly CpuFeatureWord Recommended = new(Recommendations, 0, CpuidRegister.Eax);

    // TLFS 2.4: which bits say so.
    private static readonly (HyperVFeatures Feature, CpuFeatureWord Word, uint Mask)[] Bits =
    [
        (HyperVFeatures.Relaxed, Recommended, 1u << 5),
        (HyperVFeatures.Vapic, Privileged, 1u << 4),
        (HyperVFeatures.Vapic, Recommended, 1u << 3),
        (HyperVFeatures.VpIndex, Privileged, 1u << 6),
        (HyperVFeatures.Runtime, Privileged, 1u << 0),
        (HyperVFeatures.Time, Privileged, (1u << 1) | (1u << 9)),
        (HyperVFeatures.Frequencies, Privileged, 1u << 11),
        (HyperVFeatures.Frequencies, Extras, 1u << 8),
        (HyperVFeatures.Reenlightenment, Privileged, 1u << 13),
        (HyperVFeatures.TlbFlush, Recommended, (1u << 2) | (1u << 11)),
        (HyperVFeatures.Ipi, Recommended, (1u << 10) | (1u << 11)),
        (HyperVFeatures.XmmInput, Extras, 1u << 4),
        (HyperVFeatures.TlbFlushExt, Extras, 1u << 14),
        (HyperVFeatures.Avic, Recommended, 1u << 9),
        (HyperVFeatures.NoNonarchCoresharing, Recommended, 1u << 18),
    ];

    /// <summary>QEMU's names of the features.</summary>
    public static IReadOnlyList<(string Name, HyperVFeatures Feature)> Names { get; } =
    [
        ("hv-relaxed", HyperVFeatures.Relaxed),
        ("hv-vapic", HyperVFeatures.Vapic),
        ("hv-spinlocks", HyperVFeatures.Spinlocks),
        ("hv-vpindex", HyperVFeatures.VpIndex),
        ("hv-runtime", HyperVFeatures.Runtime),
        ("hv-time", HyperVFeatures.Time),
        ("hv-frequencies", HyperVFeatures.Frequencies),
        ("hv-reenlightenment", HyperVFeatures.Reenlightenment),
        ("hv-tlbflush", HyperVFeatures.TlbFlush),
        ("hv-ipi", HyperVFeatures.Ipi),
        ("hv-xmm-input", HyperVFeatures.XmmInput),
        ("hv-tlbflush-ext", HyperVFeatures.TlbFlushExt),
        ("hv-avic", HyperVFeatures.Avic),
        ("hv-no-nonarch-coresharing", HyperVFeatures.NoNonarchCoresharing),
    ];

    /// <summary>Puts them before KVM's leaves.</summary>
    /// <param name="table">The guest's leaves, KVM's among them or not.</param>
    /// <param name="asked">What the guest is to have; not nothing.</param>
    /// <param name="supported">KVM_GET_SUPPORTED_HV_CPUID; empty where KVM has no Hyper-V.</param>
    /// <param name="vcpus">How many the guest may have.</param>
    /// <param name="missing">Gets the names of what KVM lacks of it.</param>
    public static void Write(
        CpuidTable table, HyperVOptions asked, IReadOnlyList<CpuidLeaf> supported, int vcpus, List<string> missing)
    {
        CpuidTable kvm = new(supported);
        HyperVFeatures had = asked.Features;
        foreach ((HyperVFeatures feature, CpuFeatureWord word, uint mask) in Bits)
        {
            if ((kvm.Get(word) & mask) != mask)
                had &= ~feature;
        }

        missing.AddRange(Names.Where(named => (asked.Features & ~had).HasFlag(named.Feature)).Select(named => named.Name));
        if (supported.Count == 0 || had == HyperVFeatures.None)
            return;
        table.Transform(leaf => KvmSignature.Contains(leaf.Function) ? Moved(leaf) : leaf);
        byte[] vendor = new byte[12];
        Encoding.ASCII.GetBytes(asked.VendorId, vendor);
        table.Set(new(
            Signature, 0, Hardware, BitConverter.ToUInt32(vendor, 0), BitConverter.ToUInt32(vendor, 4),
            BitConverter.ToUInt32(vendor, 8), false));
        table.Set(new(Interface, 0, Hv1, 0, 0, 0, false));
        table.Set(new(Version, 0, Build, MajorAndMinor, 0, 0, false));
        table.Set(new(Privileges, 0, Hypercalls, 0, 0, 0, false));
        uint retries = had.HasFlag(HyperVFeatures.Spinlocks) ? asked.SpinlockRetries : NeverNotify;
        table.Set(new(Recommendations, 0, 0, retries, 0, 0, false));
        table.Set(new(Limits, 0, Math.Max((uint)vcpus, MostVcpus), 0, 0, 0, false));
        foreach ((HyperVFeatures feature, CpuFeatureWord word, uint mask) in Bits)
        {
            if (had.HasFlag(feature))
                table.Set(word, table.Get(word) | mask);
        }
    }

    private static CpuidLeaf Moved(CpuidLeaf leaf)
    {
        CpuidLeaf moved = leaf with { Function = leaf.Function + MovedBy };
        return leaf.Function == KvmSignature.First ? moved with { Eax = leaf.Eax + MovedBy } : moved;
    }
}
