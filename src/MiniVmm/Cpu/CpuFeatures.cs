using System.Collections.Frozen;

namespace MiniVmm.Cpu;

/// <summary>
/// Every feature that can be named in <c>--cpu</c> and in a model file. Names are QEMU's; Linux's of
/// /proc/cpuinfo are accepted too, in any case, and <c>-</c>, <c>_</c> and <c>.</c> in them do not count.
/// </summary>
internal static class CpuFeatures
{
    /// <summary>IA32_ARCH_CAPABILITIES, which arch-capabilities announces (SDM vol. 4, table 2-2).</summary>
    public const uint ArchCapabilities = 0x10A;

    /// <summary>IA32_CORE_CAPABILITIES, which core-capability announces.</summary>
    public const uint CoreCapabilities = 0xCF;

    /// <summary>IA32_PERF_CAPABILITIES, which pdcm announces.</summary>
    public const uint PerfCapabilities = 0x345;

    // Built at the first use: --cpu host alone never needs it.
    private static readonly Lazy<Table> LazyTable = new(() => new Table());

    /// <summary>All features, by leaf and bit.</summary>
    public static IReadOnlyList<CpuFeature> All => LazyTable.Value.All;

    /// <summary>The registers that <see cref="All"/> lie in, each once.</summary>
    public static IReadOnlyList<CpuFeatureWord> Words => LazyTable.Value.Words;

    /// <summary>Finds a feature by one of its names.</summary>
    public static bool TryFind(string name, out CpuFeature feature)
    {
        ArgumentNullException.ThrowIfNull(name);
        return LazyTable.Value.ByName.TryGetValue(Fold(name), out feature);
    }

    /// <summary>The feature of that name, which the program knows to exist.</summary>
    /// <exception cref="ArgumentException">No such feature.</exception>
    internal static CpuFeature Find(string name) =>
        TryFind(name, out CpuFeature feature)
            ? feature
            : throw new ArgumentException($"no CPU feature {name}", nameof(name));

    /// <summary>The error for an unknown name, with the closest known one, if any is close.</summary>
    internal static string Unknown(string name)
    {
        string? closest = Spelling.Closest(Fold(name), LazyTable.Value.ByName.Keys);
        return closest is null
            ? $"no CPU feature is called '{name}'"
            : $"no CPU feature is called '{name}'; did you mean {LazyTable.Value.ByName[closest].Name}?";
    }

    internal static string Fold(string name) =>
        string.Concat(name.Where(c => c is not ('-' or '_' or '.'))).ToLowerInvariant();

    /// <summary>32 names, bit 0 first; '.' for a bit without one, 'name=alias=alias' for one with several.</summary>
    private sealed record Row(uint Function, uint Index, CpuidRegister Register, string Bits)
    {
        public CpuFeatureWord Word => new(Function, Index, Register);

        public IEnumerable<(string Name, bool IsAlias, int Bit)> Names() =>
            Bits.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
                .SelectMany((names, bit) => names.Split('=').Select((name, i) => (name, i > 0, bit)))
                .Where(entry => entry.name != ".");
    }

    // SDM vol. 2A CPUID; AMD APM vol. 3 appendix E; Documentation/virt/kvm/x86/cpuid.rst. No names for
    // OSXSAVE and OSPKE: they mirror CR4 and KVM keeps them.
    private static Row[] Source =>
    [
        new(1, 0, CpuidRegister.Edx, """
            fpu vme de pse tsc msr pae mce
            cx8 apic . sep mtrr pge mca cmov
            pat pse36 pn clflush=clfsh . ds=dts acpi mmx
            fxsr sse sse2 ss ht=htt tm ia64 pbe
            """),
        new(1, 0, CpuidRegister.Ecx, """
            pni=sse3 pclmulqdq=pclmuldq dtes64 monitor ds-cpl vmx smx est
            tm2 ssse3 cid=cnxt-id sdbg fma cx16 xtpr pdcm
            . pcid dca sse4.1 sse4.2 x2apic movbe popcnt
            tsc-deadline=tsc-deadline-timer aes xsave . avx f16c rdrand hypervisor
            """),
        new(6, 0, CpuidRegister.Eax, ". . arat . . . . ."),
        new(7, 0, CpuidRegister.Ebx, """
            fsgsbase tsc-adjust sgx bmi1 hle avx2 fdp-excptn-only smep
            bmi2 erms invpcid rtm cqm zero-fcs-fds mpx rdt-a
            avx512f avx512dq rdseed adx smap avx512ifma pcommit clflushopt
            clwb intel-pt avx512pf avx512er avx512cd sha-ni=sha avx512bw avx512vl
            """),
        new(7, 0, CpuidRegister.Ecx, """
            prefetchwt1 avx512vbmi umip pku . waitpkg avx512vbmi2 shstk
            gfni vaes vpclmulqdq avx512vnni avx512bitalg tme avx512-vpopcntdq .
            la57 . . . . . rdpid .
            bus-lock-detect cldemote . movdiri movdir64b enqcmd sgxlc pks
            """),
        new(7, 0, CpuidRegister.Edx, """
            . . avx512-4vnniw avx512-4fmaps fsrm uintr . .
            avx512-vp2intersect srbds-ctrl md-clear rtm-always-abort . tsx-force-abort serialize hybrid-cpu
            tsx-ldtrk . pconfig arch-lbr ibt . amx-bf16 avx512-fp16
            amx-tile amx-int8 spec-ctrl stibp=intel-stibp
            flush-l1d arch-capabilities core-capability=core-capabilities ssbd
            """),
        new(7, 1, CpuidRegister.Eax, """
            sha512 sm3 sm4 . avx-vnni avx512-bf16 lass cmpccxadd
            . . fzrm fsrs fsrc . . .
            . fred lkgs wrmsrns . amx-fp16 . avx-ifma
            . . lam . . . . movrs
            """),
        new(7, 1, CpuidRegister.Edx, """
            . . . . avx-vnni-int8 avx-ne-convert . .
            amx-complex . avx-vnni-int16 . . . prefetchiti .
            . . . avx10 . . . .
            """),
        new(7, 2, CpuidRegister.Edx, "intel-psfd ipred-ctrl rrsba-ctrl ddpd-u bhi-ctrl mcdt-no . ."),
        new(0xD, 1, CpuidRegister.Eax, "xsaveopt xsavec xgetbv1 xsaves xfd . . ."),
        new(0x80000001, 0, CpuidRegister.Ecx, """
            lahf-lm cmp-legacy svm extapic cr8legacy abm=lzcnt sse4a misalignsse
            3dnowprefetch osvw ibs xop skinit wdt . lwp
            fma4 tce . nodeid-msr . tbm topoext perfctr-core
            perfctr-nb . bpext ptsc perfctr-llc mwaitx . .
            """),
        new(0x80000001, 0, CpuidRegister.Edx, """
            . . . . . . . .
            . . . syscall . . . .
            . . . mp nx=xd . mmxext .
            . fxsr-opt=ffxsr pdpe1gb rdtscp . lm=i64 3dnowext 3dnow
            """),
        new(0x80000007, 0, CpuidRegister.Ebx, "overflow-recov succor . . . . . ."),
        new(0x80000007, 0, CpuidRegister.Edx, ". . . . . . . . invtsc=nonstop-tsc . . . . . . ."),
        new(0x80000008, 0, CpuidRegister.Ebx, """
            clzero irperf xsaveerptr . rdpru . . .
            . wbnoinvd . . ibpb=amd-ibpb . ibrs=amd-ibrs amd-stibp
            . stibp-always-on=amd-stibp-always-on . . . . . amd-ppin
            amd-ssbd virt-ssbd amd-no-ssb=amd-ssb-no cppc amd-psfd btc-no . .
            """),
        new(0x8000000A, 0, CpuidRegister.Edx, """
            npt lbrv svm-lock nrip-save tsc-scale vmcb-clean flushbyasid decodeassists
            . . pause-filter . pfthreshold avic . v-vmsave-vmload
            vgif . . . . . . .
            . vnmi . . svme-addr-chk . . .
            """),
        new(0x80000021, 0, CpuidRegister.Eax, """
            no-nested-data-bp fs-gs-base-ns lfence-always-serializing=lfence-rdtsc . . . null-sel-clr-base .
            auto-ibrs no-smm-ctl-msr . . . . . .
            . . . . prefetchi . . .
            eraps . . sbpb ibpb-brtype srso-no srso-user-kernel-no .
            """),
        new(0x80000022, 0, CpuidRegister.Eax, "perfmon-v2 . . . . . . ."),
        new(0xC0000001, 0, CpuidRegister.Edx, """
            . . xstore xstore-en . . xcrypt xcrypt-en
            ace2 ace2-en phe phe-en pmm pmm-en . .
            """),
        new(0x12, 0, CpuidRegister.Eax, "sgx1 sgx2 . . . . . . . . . sgx-edeccssa . . . ."),
        new(0x12, 0, CpuidRegister.Ebx, "sgx-exinfo . . . . . . ."),
        new(0x12, 1, CpuidRegister.Eax, """
            . sgx-debug sgx-mode64 . sgx-provisionkey sgx-tokenkey . sgx-kss
            . . sgx-aex-notify . . . . .
            """),
        new(0x14, 0, CpuidRegister.Ecx, """
            . . . . . . . .
            . . . . . . . .
            . . . . . . . .
            . . . . . . . intel-pt-lip
            """),
        new(0x24, 0, CpuidRegister.Ebx, """
            . . . . . . . .
            . . . . . . . .
            avx10-128 avx10-256 avx10-512 . . . . .
            """),
        new(ArchCapabilities, 0, CpuidRegister.Msr, """
            rdctl-no ibrs-all rsba skip-l1dfl-vmentry ssb-no mds-no pschange-mc-no tsx-ctrl
            taa-no . . . . sbdr-ssdp-no fbsdp-no psdp-no
            . fb-clear . . bhi-no . . .
            pbrsb-no . gds-no rfds-no rfds-clear . . .
            """),
        new(CoreCapabilities, 0, CpuidRegister.Msr, ". . . . . split-lock-detect . ."),
        new(PerfCapabilities, 0, CpuidRegister.Msr, ". . . . . . . . . . . . . full-width-write . ."),
        new(0x40000001, 0, CpuidRegister.Edx, "kvm-hint-dedicated . . . . . . ."),
        new(0x40000001, 0, CpuidRegister.Eax, """
            kvmclock kvm-nopiodelay kvm-mmu kvmclock kvm-asyncpf kvm-steal-time kvm-pv-eoi kvm-pv-unhalt
            . kvm-pv-tlb-flush kvm-asyncpf-vmexit kvm-pv-ipi
            kvm-poll-control kvm-pv-sched-yield kvm-asyncpf-int kvm-msi-ext-dest-id
            kvm-hc-map-gpa-range kvm-migration-control . . . . . .
            kvmclock-stable-bit . . . . . . .
            """),
    ];

    private sealed class Table
    {
        public Table()
        {
            Dictionary<string, CpuFeature> byName = new(StringComparer.Ordinal);
            List<CpuFeature> all = [];
            List<CpuFeatureWord> words = [];
            foreach (Row row in Source)
            {
                words.Add(row.Word);
                // kvmclock is in its word twice: the old MSR numbers' bit and the new ones'.
                foreach (var named in row.Names().GroupBy(entry => entry.Name))
                {
                    uint mask = named.Aggregate(0u, (sum, entry) => sum | (1u << entry.Bit));
                    string canonical = row.Names().First(entry => entry.Bit == named.First().Bit).Name;
                    CpuFeature feature = new(canonical, row.Word, mask);
                    byName.Add(Fold(named.Key), feature);
                    if (!named.First().IsAlias)
                        all.Add(feature);
                }
            }

            All = all;
            Words = words;
            ByName = byName.ToFrozenDictionary(StringComparer.Ordinal);
        }

        public IReadOnlyList<CpuFeature> All { get; }

        public IReadOnlyList<CpuFeatureWord> Words { get; }

        public FrozenDictionary<string, CpuFeature> ByName { get; }
    }
}
