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
    /// <param name="supported">KVM_GET_SUPPORTED_CPUID (Documentation/virt/kvm/api.rst 4.46).</param>
    /// <param name="selection">The model and its changes.</param>
    /// <param name="topology">Sockets, cores and threads.</param>
    /// <param name="tscDeadline">KVM_CAP_TSC_DEADLINE_TIMER, which the supported leaves do not tell.</param>
    public static CpuidTemplate Build(
        IReadOnlyList<CpuidLeaf> supported, CpuSelection selection, CpuTopology topology, bool tscDeadline)
    {
        ArgumentNullException.ThrowIfNull(supported);
        ArgumentNullException.ThrowIfNull(selection);
        ArgumentNullException.ThrowIfNull(topology);

        CpuidTable table = new(supported);
        CpuModel model = selection.Model;
        List<OptionMessage> warnings = [];
        bool isAmd = SetVendor(table, model);
        SetDynamicBits(table, tscDeadline);
        if (isAmd && topology.Threads > 1)
            CpuidTopology.OfferExtensions(table);

        if (!model.IsHost || selection.Changes.Count > 0)
        {
            HashSet<CpuFeature> removed = [.. selection.Changes.Where(c => !c.On).Select(c => c.Feature)];
            List<string> missing = model.IsHost
                ? ChangeHost(table, selection)
                : TakeModel(table, selection, isAmd);
            if (missing.Count > 0)
                warnings.Add(Missing(model.Name, missing));
            if (isAmd)
                MirrorAmdAliases(table);
            CpuidXsave.Trim(table, owned: !model.IsHost, removed);
        }

        SetSignature(table, model, isAmd);
        SetBrand(table, model);
        SetLevels(table, model, isAmd);
        CpuidTopology.Write(table, topology, isAmd);
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
            if (FollowsTopology(feature) && table.Has(feature) != on)
                warnings.Add($"{OptionName.Cpu.With(selection.Text)}: {feature.Name} follows {OptionName.Smp}, here {topology}");
        }

        CpuidLeaf[] leaves = [.. table.Leaves.OrderBy(leaf => leaf.Function).ThenBy(leaf => leaf.Index)];
        return new(leaves, topology, warnings);
    }

    /// <summary>The host's vendor stays unless the model has one; tells whether AMD's leaves count.</summary>
    private static bool SetVendor(CpuidTable table, CpuModel model)
    {
        if (model.Vendor is string vendor)
        {
            byte[] name = Encoding.ASCII.GetBytes(vendor);
            foreach (uint function in (ReadOnlySpan<uint>)[0, 0x80000000])
            {
                table.Set(table.Get(function) with
                {
                    Ebx = BitConverter.ToUInt32(name, 0),
                    Edx = BitConverter.ToUInt32(name, 4),
                    Ecx = BitConverter.ToUInt32(name, 8),
                });
            }
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

        CpuidLeaf kvm = table.Get(0x40000000);
        if (table.Contains(0x40000000))
            table.Set(kvm with { Eax = Math.Max(kvm.Eax, 0x40000001) });
    }

    private static List<string> ChangeHost(CpuidTable table, CpuSelection selection)
    {
        List<string> missing = [];
        foreach ((CpuFeature feature, bool on) in selection.Changes)
        {
            if (!on)
                table.Set(feature.Word, table.Get(feature.Word) & ~feature.Mask);
            else if (!table.Has(feature) && !FollowsTopology(feature))
                missing.Add(feature.Name);
        }

        return missing;
    }

    /// <summary>Cuts every leaf to the model's features; what the model says nothing of is zero.</summary>
    private static List<string> TakeModel(CpuidTable table, CpuSelection selection, bool isAmd)
    {
        HashSet<CpuFeature> wanted = [.. selection.Model.Features!];
        foreach ((CpuFeature feature, bool on) in selection.Changes)
        {
            if (on)
                wanted.Add(feature);
            else
                wanted.Remove(feature);
        }

        List<string> missing =
        [
            .. wanted.Where(feature => !table.Has(feature) && !FollowsTopology(feature)).Select(f => f.Name),
        ];

        Dictionary<CpuFeatureWord, uint> masks = CpuFeatures.Words.ToDictionary(word => word, _ => 0u);
        foreach (CpuFeature feature in wanted)
            masks[feature.Word] |= feature.Mask;
        // Part of every model: what a guest under KVM is faster with, whatever processor it sees.
        masks[Leaf1Ecx] |= X2Apic | Hypervisor;
        masks[new(0x40000001, 0, CpuidRegister.Eax)] = uint.MaxValue;
        foreach ((CpuFeature feature, bool on) in selection.Changes)
        {
            if (!on)
                masks[feature.Word] &= ~feature.Mask;
        }

        if (isAmd)
            masks[new(0x80000001, 0, CpuidRegister.Edx)] |= AmdAliases;

        foreach ((CpuFeatureWord word, uint mask) in masks)
            table.Set(word, table.Get(word) & mask);
        bool has71 = table.Get(new CpuFeatureWord(7, 1, CpuidRegister.Eax)) != 0;
        table.Transform(leaf => Keep(leaf, table, has71));
        return missing;
    }

    /// <summary>The part of a leaf that is no feature word but belongs to a named model too.</summary>
    private static CpuidLeaf Keep(CpuidLeaf leaf, CpuidTable table, bool has71)
    {
        CpuidLeaf none = leaf with { Eax = 0, Ebx = 0, Ecx = 0, Edx = 0 };
        return leaf.Function switch
        {
            0 or 1 or 2 or 4 or 0xB or 0xD or 0x1F => leaf,
            5 => table.Has(CpuFeatures.Find("monitor")) ? leaf : none,
            6 => none with { Eax = leaf.Eax },
            7 when leaf.Index == 0 => leaf with { Eax = has71 ? 1u : 0 },
            7 when leaf.Index == 1 => none with { Eax = leaf.Eax },
            0x1D or 0x1E => table.Has(CpuFeatures.Find("amx-tile")) ? leaf : none,
            >= 0x40000000 and <= 0x4FFFFFFF => leaf,
            >= 0x80000000 and <= 0x80000006 => leaf,
            0x80000007 => none with { Edx = leaf.Edx },
            0x80000008 => none with { Eax = leaf.Eax, Ebx = leaf.Ebx },
            0x8000000A => table.Has(CpuFeatures.Find("svm")) ? leaf : none,
            0x8000001D or 0x8000001E => leaf,
            0x80000021 => none with { Eax = leaf.Eax },
            _ => none,
        };
    }

    // The topology decides on these two, whatever was asked for.
    private static bool FollowsTopology(CpuFeature feature) => feature.Name is "ht" or "cmp-legacy";

    private static void MirrorAmdAliases(CpuidTable table)
    {
        CpuFeatureWord word = new(0x80000001, 0, CpuidRegister.Edx);
        table.Set(word, table.Get(word) & (~AmdAliases | table.Get(1).Edx));
    }

    /// <summary>Family, model and stepping as leaf 1 packs them (SDM vol. 2A, figure 3-6).</summary>
    private static void SetSignature(CpuidTable table, CpuModel model, bool isAmd)
    {
        if (model is { Family: null, Model: null, Stepping: null })
            return;
        uint host = table.Get(1).Eax;
        uint baseFamily = (host >> 8) & 0xF;
        uint family = model.Family ?? baseFamily + (baseFamily == 0xF ? (host >> 20) & 0xFF : 0);
        uint number = model.Model ?? ((host >> 4) & 0xF) | ((host >> 12) & 0xF0);
        uint stepping = model.Stepping ?? host & 0xF;
        uint signature = stepping
            | ((number & 0xF) << 4)
            | (Math.Min(family, 0xF) << 8)
            | ((number >> 4) << 16)
            | ((family - Math.Min(family, 0xF)) << 20);
        table.Set(new(1, 0, CpuidRegister.Eax), signature);
        if (isAmd)
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
    private static void SetLevels(CpuidTable table, CpuModel model, bool isAmd)
    {
        uint level = model.Level ?? Math.Max(table.Get(0).Eax, 0xB);
        uint xlevel = model.XLevel ?? Math.Max(table.Get(0x80000000).Eax, 0x80000001);
        if (!model.IsHost)
        {
            foreach (CpuFeatureWord word in CpuFeatures.Words.Where(word => table.Get(word) != 0))
            {
                if (word.Function < 0x40000000)
                    level = Math.Max(level, word.Function);
                else if (word.Function >= 0x80000000)
                    xlevel = Math.Max(xlevel, word.Function);
            }

            if (table.Has(CpuFeatures.Find("xsave")))
                level = Math.Max(level, 0xD);
        }

        if (isAmd && CpuidTopology.HasExtensions(table.Leaves))
            xlevel = Math.Max(xlevel, 0x8000001E);

        table.Set(new(0, 0, CpuidRegister.Eax), level);
        table.Set(new(0x80000000, 0, CpuidRegister.Eax), xlevel);
        table.RemoveAll(leaf => leaf.Function < 0x40000000
            ? leaf.Function > level
            : leaf.Function is >= 0x80000000 and < 0xC0000000 && leaf.Function > xlevel);
    }

    private static OptionMessage Missing(string model, List<string> names)
    {
        string guest = names.Count == 1 ? "it" : "them";
        return $"{OptionName.Cpu.With(model)}: this host's KVM has no {string.Join(", ", names)}; the guest runs without {guest}";
    }
}
