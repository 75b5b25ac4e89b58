namespace MiniVmm.Cpu;

/// <summary>
/// The leaves of a named model. They are put together from the model alone, so that hosts do not show through: of the host's
/// come only the vendor, which decides how SYSCALL and SYSENTER behave, and what no hypervisor can change, the layout of the
/// XSAVE area. A feature that the host lacks is left out.
/// </summary>
internal static class NamedCpuid
{
    private const uint CacheLineInQuadwords = 8 << 8; // leaf 1 EBX: what CLFLUSH flushes

    private static readonly CpuFeatureWord[] Subleaves7 =
    [
        new(7, 1, CpuidRegister.Eax), new(7, 1, CpuidRegister.Edx), new(7, 2, CpuidRegister.Edx),
    ];

    /// <summary>Puts them together, but for what <see cref="CpuidBuilder"/> writes for every model.</summary>
    /// <param name="host">What the host's KVM supports.</param>
    /// <param name="selection">The model and its changes.</param>
    /// <param name="isAmd">Whether the guest reads AMD's leaves.</param>
    /// <param name="missing">Gets the names of features that the guest is to have and the host lacks.</param>
    public static CpuidTable Build(CpuidTable host, CpuSelection selection, bool isAmd, List<string> missing)
    {
        HashSet<CpuFeature> wanted = CpuFeatureRules.Wanted(selection);
        CpuidTable table = new([]);
        CpuidLeaf vendor = host.Get(0) with { Eax = 0 };
        table.Set(vendor);
        table.Set(vendor with { Function = 0x80000000 });
        table.Set(new(1, 0, 0, CacheLineInQuadwords, 0, 0, false));
        foreach (CpuFeature feature in wanted)
        {
            uint bits = host.Get(feature.Word) & feature.Mask;
            if (bits != 0)
                table.Set(feature.Word, table.Get(feature.Word) | bits);
            else
                missing.Add(feature.Name);
        }

        for (int i = 0; i < Subleaves7.Length; i++)
        {
            if (table.Get(Subleaves7[i]) != 0)
                table.Set(new CpuFeatureWord(7, 0, CpuidRegister.Eax), Subleaves7[i].Index);
        }

        if (selection.Properties.ShowsKvm)
            table.Set(KvmSignature.Leaf);
        CopyXsave(host, table);
        WriteConstants(table);
        CopyWhatIsTheHosts(host, table, selection);
        if (selection.Model.ModelId is null)
            Copy(host, table, function => function is >= 0x80000002 and <= 0x80000004);
        if (!selection.Properties.HostCaches)
            CpuCaches.Of(selection.Model).Write(table, isAmd);
        return table;
    }

    private static void CopyXsave(CpuidTable host, CpuidTable table)
    {
        uint features = table.Get(0xD, 1).Eax;
        Copy(host, table, function => function == 0xD);
        table.Set(new CpuFeatureWord(0xD, 1, CpuidRegister.Eax), features);
    }

    /// <summary>The leaves that describe a feature and are the same on all processors that have it.</summary>
    private static void WriteConstants(CpuidTable table)
    {
        if (table.Has(CpuFeatures.Find("svm")))
        {
            // Revision 1, 16 address space ids.
            table.Set(table.Get(0x8000000A) with { Eax = 1, Ebx = 16 });
        }

        if (table.Has(CpuFeatures.Find("amx-tile")))
        {
            // Palette 1: 8 tiles of 16 rows of 64 bytes; SDM vol. 2A CPUID, leaves 1DH and 1EH.
            table.Set(new(0x1D, 0, 1, 0, 0, 0, true));
            table.Set(new(0x1D, 1, 0x0400_2000, 0x0008_0040, 16, 0, true));
            table.Set(new(0x1E, 0, 0, 0x4010, 0, 0, true));
        }

        if (table.Has(CpuFeatures.Find("avx10")))
            table.Set(new(0x24, 0, CpuidRegister.Ebx), table.Get(0x24).Ebx | 1); // version 1
    }

    /// <summary>What a guest shares with the host if asked: counters, tracing, caches. No two hosts need be alike in them.</summary>
    private static void CopyWhatIsTheHosts(CpuidTable host, CpuidTable table, CpuSelection selection)
    {
        if (selection.HasPmu)
            Copy(host, table, function => function == 0xA);
        if (selection.HasPmu && table.Has(CpuFeatures.Find("arch-lbr")))
            Copy(host, table, function => function == 0x1C);
        if (table.Has(CpuFeatures.Find("perfmon-v2")))
            table.Set(new(0x80000022, 0, CpuidRegister.Ebx), host.Get(0x80000022).Ebx & 0xF);
        if (table.Has(CpuFeatures.Find("intel-pt")))
            Copy(host, table, function => function == 0x14);
        if (selection.Properties.HostCaches)
            Copy(host, table, function => function is 2 or 4 or 0x80000005 or 0x80000006 or 0x8000001D);
    }

    private static void Copy(CpuidTable from, CpuidTable to, Predicate<uint> which)
    {
        foreach (CpuidLeaf leaf in from.Leaves)
        {
            if (which(leaf.Function))
                to.Set(leaf);
        }
    }
}
