using System.Text;

namespace MiniVmm.Cpu;

/// <summary>Turns what KVM supports into what a guest sees: a model's features and its topology. No KVM here.</summary>
internal static class CpuidBuilder
{
    private const uint Hypervisor = 1u << 31;
    private const uint OsXsave = 1u << 27;
    private const uint TscDeadline = 1u << 24;
    private const uint X2Apic = 1u << 21;
    private const uint OsPke = 1u << 4;

    // Bits of 0x80000001 EDX that repeat leaf 1 EDX on AMD (APM vol. 3, Fn8000_0001_EDX).
    private const uint AmdAliases = 0x0183_F3FF;

    private static readonly CpuFeatureWord Leaf1Ecx = new(1, 0, CpuidRegister.Ecx);

    /// <summary>Works out the leaves once for all vCPUs.</summary>
    /// <param name="supported">What the host's KVM can give a guest.</param>
    /// <param name="selection">The model and its changes.</param>
    /// <param name="topology">Sockets, cores and threads.</param>
    /// <exception cref="HostLimitException">The host lacks something, and the selection is to be enforced.</exception>
    public static CpuidTemplate Build(SupportedCpu supported, CpuSelection selection, CpuTopology topology)
    {
        ArgumentNullException.ThrowIfNull(supported);
        ArgumentNullException.ThrowIfNull(selection);
        ArgumentNullException.ThrowIfNull(topology);

        CpuidTable host = new(supported.Leaves);
        CpuModel model = selection.Model;
        List<OptionMessage> warnings = [];
        List<string> missing = [];
        bool isAmd = SetVendor(host, model);
        SetDynamicBits(host, supported.TscDeadline);
        if (isAmd && (topology.Threads > 1 || !model.IsHost))
            CpuidTopology.OfferExtensions(host);
        if (selection.Changes.Count > 0)
            OfferHints(host, selection);

        CpuidTable table = host;
        if (!model.IsHost)
        {
            AskForMsrs(host, supported, selection);
            table = NamedCpuid.Build(host, selection, isAmd, missing);
        }

        if (!model.IsHost || selection.Changes.Count > 0)
        {
            HashSet<CpuFeature> removed = [.. selection.Changes.Where(c => !c.On).Select(c => c.Feature)];
            if (model.IsHost)
                ChangeHost(table, selection, missing);
            if (isAmd)
                MirrorAmdAliases(table);
            CpuidXsave.Trim(table, owned: !model.IsHost, removed);
        }

        if (model.IsHost)
            LeaveOut(table, selection);
        SetSignature(table, host, model, isAmd);
        SetBrand(table, model);
        if (CpuidAddresses.Write(table, host, selection) is int bits)
            Complain(selection, bits, CpuidAddresses.Physical(host.Leaves), warnings);
        SetLevels(table, selection, isAmd);
        CpuidTopology.Write(table, topology, isAmd);
        if (selection.Properties.HyperV is { Features: not HyperVFeatures.None } hyperV)
            HyperVLeaves.Write(table, hyperV, supported.HyperV(), topology.MaxCpus, missing);
        if (missing.Count > 0)
            Complain(selection, missing, warnings);
        WarnOfTopology(table, selection, topology, isAmd, warnings);

        CpuidLeaf[] leaves = [.. table.Leaves.OrderBy(leaf => leaf.Function).ThenBy(leaf => leaf.Index)];
        return new(leaves, topology, warnings) { Msrs = table.Msrs };
    }

    private static void WarnOfTopology(
        CpuidTable table, CpuSelection selection, CpuTopology topology, bool isAmd, List<OptionMessage> warnings)
    {
        if (isAmd && topology.Threads > 1 && !CpuidTopology.HasExtensions(table.Leaves))
        {
            warnings.Add($"{OptionName.Cpu.With(selection.Text)}: without topoext an AMD guest may take "
                + $"the {topology.Threads} threads of a core for cores");
        }

        // An 8-bit APIC id of 0xFF addresses everyone.
        if (topology.MaxApicId > 254 && (table.Get(Leaf1Ecx) & X2Apic) == 0)
        {
            warnings.Add($"{OptionName.Cpu.With(selection.Text)}: without x2apic a guest cannot start vCPUs of APIC ids over 254, "
                + $"here up to {topology.MaxApicId}");
        }

        foreach ((CpuFeature feature, bool on) in selection.Changes)
        {
            if (CpuFeatureRules.FollowsTopology(feature) && table.Has(feature) != on)
                warnings.Add($"{OptionName.Cpu.With(selection.Text)}: {feature.Name} follows {OptionName.Smp}, here {topology}");
        }
    }

    /// <summary>The host's vendor stays unless the model has one; tells whether AMD's leaves count.</summary>
    private static bool SetVendor(CpuidTable table, CpuModel model)
    {
        if (model.Vendor is string vendor)
        {
            byte[] name = Encoding.ASCII.GetBytes(vendor);
            table.Set(table.Get(0) with
            {
                Ebx = BitConverter.ToUInt32(name, 0),
                Edx = BitConverter.ToUInt32(name, 4),
                Ecx = BitConverter.ToUInt32(name, 8),
            });
            table.Set(table.Get(0) with { Function = 0x80000000, Eax = table.Get(0x80000000).Eax });
        }

        // The first four characters of AuthenticAMD and of HygonGenuine.
        return table.Get(0).Ebx is 0x6874_7541 or 0x6F67_7948;
    }

    /// <summary>OSXSAVE and OSPKE mirror the guest's CR4, kept by KVM; the others are facts of the machine.</summary>
    private static void SetDynamicBits(CpuidTable table, bool tscDeadline)
    {
        uint ecx = (table.Get(Leaf1Ecx) & ~(OsXsave | TscDeadline)) | Hypervisor;
        table.Set(Leaf1Ecx, tscDeadline ? ecx | TscDeadline : ecx);
        CpuFeatureWord protectionKeys = new(7, 0, CpuidRegister.Ecx);
        table.Set(protectionKeys, table.Get(protectionKeys) & ~OsPke);

        CpuidLeaf kvm = table.Get(KvmSignature.First);
        if (table.Contains(KvmSignature.First))
            table.Set(kvm with { Eax = Math.Max(kvm.Eax, KvmSignature.Features) });
    }

    /// <summary>Hints are the user's word to the guest: no KVM need support them.</summary>
    private static void OfferHints(CpuidTable table, CpuSelection selection)
    {
        CpuFeatureWord hints = new(KvmSignature.Features, 0, CpuidRegister.Edx);
        foreach ((CpuFeature feature, bool on) in selection.Changes)
        {
            if (on && feature.Word == hints)
                table.Set(hints, table.Get(hints) | feature.Mask);
        }
    }

    private static void AskForMsrs(CpuidTable table, SupportedCpu supported, CpuSelection selection)
    {
        foreach (CpuFeature feature in CpuFeatureRules.Wanted(selection))
        {
            if (feature.Word.Register == CpuidRegister.Msr && !table.Msrs.ContainsKey(feature.Word.Function))
                table.Set(feature.Word, (uint)supported.FeatureMsr(feature.Word.Function));
        }
    }

    private static void ChangeHost(CpuidTable table, CpuSelection selection, List<string> missing)
    {
        foreach ((CpuFeature feature, bool on) in selection.Changes)
        {
            if (!on)
                table.Set(feature.Word, table.Get(feature.Word) & ~feature.Mask);
            else if (!table.Has(feature) && !CpuFeatureRules.FollowsTopology(feature))
                missing.Add(feature.Name);
        }
    }

    /// <summary>What the host's model loses by properties.</summary>
    private static void LeaveOut(CpuidTable table, CpuSelection selection)
    {
        if (!selection.HasPmu)
        {
            foreach (string counter in (string[])["pdcm", "arch-lbr", "perfctr-core", "perfctr-nb", "perfmon-v2"])
                Clear(table, counter);
            table.RemoveAll(leaf => leaf.Function is 0xA or 0x1C or 0x80000022);
        }

        if (selection.Properties.Migratable)
            Clear(table, "invtsc");
        if (!selection.Properties.ShowsKvm)
            table.RemoveAll(leaf => KvmSignature.Contains(leaf.Function));
    }

    private static void Clear(CpuidTable table, string name)
    {
        CpuFeature feature = CpuFeatures.Find(name);
        table.Set(feature.Word, table.Get(feature.Word) & ~feature.Mask);
    }

    private static void MirrorAmdAliases(CpuidTable table)
    {
        CpuFeatureWord word = new(0x80000001, 0, CpuidRegister.Edx);
        table.Set(word, (table.Get(word) & ~AmdAliases) | (table.Get(1).Edx & AmdAliases));
    }

    /// <summary>Family, model and stepping as leaf 1 packs them (SDM vol. 2A, figure 3-6).</summary>
    private static void SetSignature(CpuidTable table, CpuidTable host, CpuModel model, bool isAmd)
    {
        if (model is { IsHost: true, Family: null, Model: null, Stepping: null })
            return;
        uint hosts = host.Get(1).Eax;
        uint baseFamily = (hosts >> 8) & 0xF;
        uint family = model.Family ?? baseFamily + (baseFamily == 0xF ? (hosts >> 20) & 0xFF : 0);
        uint number = model.Model ?? ((hosts >> 4) & 0xF) | ((hosts >> 12) & 0xF0);
        uint stepping = model.Stepping ?? hosts & 0xF;
        uint signature = stepping
            | ((number & 0xF) << 4)
            | (Math.Min(family, 0xF) << 8)
            | ((number >> 4) << 16)
            | ((family - Math.Min(family, 0xF)) << 20);
        table.Set(new(1, 0, CpuidRegister.Eax), signature);
        if (isAmd || !model.IsHost)
            table.Set(new(0x80000001, 0, CpuidRegister.Eax), signature);
    }

    private static void SetBrand(CpuidTable table, CpuModel model)
    {
        if (model.ModelId is not string text)
            return;
        byte[] brand = new byte[48];
        Encoding.ASCII.GetBytes(text, brand);
        for (int i = 0; i < 3; i++)
        {
            ReadOnlySpan<byte> part = brand.AsSpan(16 * i, 16);
            table.Set(new(
                0x80000002 + (uint)i,
                0,
                BitConverter.ToUInt32(part),
                BitConverter.ToUInt32(part[4..]),
                BitConverter.ToUInt32(part[8..]),
                BitConverter.ToUInt32(part[12..]),
                false));
        }
    }

    /// <summary>
    /// The last leaf of each range, and nothing behind it. A level rises to hold the leaves of the features.
    /// </summary>
    private static void SetLevels(CpuidTable table, CpuSelection selection, bool isAmd)
    {
        CpuModel model = selection.Model;
        uint level = model.Level ?? Math.Max(table.Get(0).Eax, 0xB);
        uint xlevel = model.XLevel ?? Math.Max(table.Get(0x80000000).Eax, model.IsHost ? 0x80000001 : 0x80000008);
        if (!model.IsHost)
        {
            foreach (CpuFeatureWord word in CpuFeatures.Words.Where(word => table.Get(word) != 0))
            {
                if (word.Register == CpuidRegister.Msr)
                    continue;
                if (word.Function < 0x40000000)
                    level = Math.Max(level, word.Function);
                else if (word.Function is >= 0x80000000 and < 0xC0000000)
                    xlevel = Math.Max(xlevel, word.Function);
            }

            foreach (CpuidLeaf leaf in table.Leaves)
            {
                if (leaf.Function is 0xA or 0xD or 0x14 or 0x1C or 0x1E && leaf != Empty(leaf))
                    level = Math.Max(level, leaf.Function);
            }
        }

        if (isAmd && CpuidTopology.HasExtensions(table.Leaves))
            xlevel = Math.Max(xlevel, 0x8000001E);
        level = selection.Properties.Level ?? level;
        xlevel = selection.Properties.XLevel ?? xlevel;

        table.Set(new(0, 0, CpuidRegister.Eax), level);
        table.Set(new(0x80000000, 0, CpuidRegister.Eax), xlevel);
        table.RemoveAll(leaf => leaf.Function < 0x40000000
            ? leaf.Function > level
            : leaf.Function is >= 0x80000000 and < 0xC0000000 && leaf.Function > xlevel);
    }

    private static CpuidLeaf Empty(CpuidLeaf leaf) => leaf with { Eax = 0, Ebx = 0, Ecx = 0, Edx = 0 };

    private static void Complain(CpuSelection selection, List<string> missing, List<OptionMessage> warnings)
    {
        string names = string.Join(", ", missing);
        string guest = missing.Count == 1 ? "it" : "them";
        if (selection.Properties.Missing == MissingFeatures.Refuse)
        {
            throw new HostLimitException(
                $"{OptionName.Cpu.With(selection.Text)}: this host's KVM has no {names}; without enforce, the guest runs without {guest}");
        }

        if (selection.Properties.Missing == MissingFeatures.Warn)
            warnings.Add($"{OptionName.Cpu.With(selection.Model.Name)}: this host's KVM has no {names}; the guest runs without {guest}");
    }

    private static void Complain(CpuSelection selection, int wanted, int bits, List<OptionMessage> warnings)
    {
        if (selection.Properties.Missing == MissingFeatures.Refuse)
        {
            throw new HostLimitException(
                $"{OptionName.Cpu.With(selection.Text)}: this host has {bits} physical address bits, not {wanted}");
        }

        if (selection.Properties.Missing == MissingFeatures.Warn)
        {
            warnings.Add(
                $"{OptionName.Cpu.With(selection.Model.Name)}: this host has {bits} physical address bits, not {wanted}; so has the guest");
        }
    }
}
