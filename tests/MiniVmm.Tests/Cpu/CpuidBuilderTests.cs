using CsCheck;
using MiniVmm.Configuration;
using MiniVmm.Cpu;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Cpu;

public sealed class CpuidBuilderTests
{
    private static CpuidTemplate Build(
        IReadOnlyList<CpuidLeaf> supported, string cpu, bool tscDeadline = true, CpuTopology? topology = null) =>
        CpuidBuilder.Build(new(supported) { TscDeadline = tscDeadline }, CpuText.Parse(cpu), topology ?? CpuTopology.Single);

    private static GuestCpuid Guest(IReadOnlyList<CpuidLeaf> supported, string cpu, bool tscDeadline = true) =>
        new(Build(supported, cpu, tscDeadline).ForVcpu(0));

    [Fact]
    public void Host_passes_on_what_kvm_supports()
    {
        GuestCpuid guest = Guest(SupportedCpuid.Intel, "host");

        Assert.Equal("GenuineIntel", guest.Vendor);
        Assert.StartsWith("Intel(R) Xeon(R)", guest.Brand, StringComparison.Ordinal);
        foreach (uint function in (uint[])[2, 6, 0xA, 0xD, 0x80000007])
        {
            CpuidLeaf[] expected = [.. SupportedCpuid.Intel.Where(leaf => leaf.Function == function)];
            Assert.All(expected, leaf => Assert.Equal(leaf, guest.Leaf(leaf.Function, leaf.Index)));
        }

        Assert.Equal(0x50654u, guest.Leaf(1).Eax);
        Assert.Equal(0x0800u, guest.Leaf(1).Ebx & 0xFFFF);
        Assert.Equal(0x1Fu, guest.Leaf(0).Eax);
    }

    [Fact]
    public void Bits_that_follow_cr4_are_clear_and_the_hypervisor_bit_is_set()
    {
        IReadOnlyList<CpuidLeaf> supported = SupportedCpuid.Read("""
            0 0 0 d 756e6547 6c65746e 49656e69
            1 0 0 50654 5400800 7ffa3203 178bfbff
            7 0 1 1 d19f47ab 1c ac000400
            """);

        foreach (string cpu in (string[])["host", "qemu64,+xsave,+pku"])
        {
            GuestCpuid guest = Guest(supported, cpu);
            Assert.Equal(0u, guest.Leaf(1).Ecx >> 27 & 1);
            Assert.Equal(0u, guest.Leaf(7).Ecx >> 4 & 1);
            Assert.True(guest.Has("hypervisor"));
            Assert.True(guest.Has("x2apic"));
        }
    }

    [Theory]
    [InlineData("host", true, true)]
    [InlineData("host", false, false)]
    [InlineData("host,-tsc-deadline", true, false)]
    [InlineData("Haswell", true, true)]
    [InlineData("Haswell", false, false)]
    [InlineData("qemu64", true, false)]
    [InlineData("qemu64,+tsc-deadline", true, true)]
    public void Tsc_deadline_needs_both_kvm_and_the_model(string cpu, bool kvm, bool expected) =>
        Assert.Equal(expected, Guest(SupportedCpuid.Intel, cpu, kvm).Has("tsc-deadline"));

    [Fact]
    public void A_named_model_has_its_features_and_no_others()
    {
        GuestCpuid guest = Guest(SupportedCpuid.Intel, "qemu64,+avx,+xsave,-cx16");
        CpuSelection selection = CpuText.Parse("qemu64");
        HashSet<string> expected =
        [
            .. selection.Model.Features!.Select(f => f.Name), "avx", "xsave", "x2apic", "hypervisor",
        ];
        expected.ExceptWith(["cx16", "svm"]); // svm only if asked

        Assert.Equal(
            expected.Order(),
            CpuFeatures.All.Where(f => f.Word.Function != 0x40000001 && guest.Has(f.Name)).Select(f => f.Name).Order());
        Assert.True(guest.Has("kvmclock"));
        Assert.Equal("QEMU Virtual CPU version 2.5+", guest.Brand);
        Assert.Equal("GenuineIntel", guest.Vendor);
        Assert.Equal(
            guest.Leaf(0) with { Eax = 0 }, guest.Leaf(0x80000000) with { Function = 0, Eax = 0 });
        Assert.Equal(0x60FB1u, guest.Leaf(1).Eax);
    }

    [Fact]
    public void Every_model_on_every_host_shows_only_what_both_have()
    {
        foreach (IReadOnlyList<CpuidLeaf> supported in (IReadOnlyList<CpuidLeaf>[])
            [SupportedCpuid.Intel, SupportedCpuid.Amd, SupportedCpuid.Sparse])
        {
            foreach (CpuModel model in CpuModels.Load().All.Where(model => !model.IsHost))
            {
                GuestCpuid host = new([.. supported]);
                CpuidTemplate template = Build(supported, model.Name);
                GuestCpuid guest = new(template.ForVcpu(0));
                foreach (CpuFeature feature in CpuFeatures.All)
                {
                    bool allowed = feature.Word.Function == 0x40000001
                        || feature.Name is "x2apic" or "hypervisor" or "tsc-deadline"
                        || (model.Features!.Contains(feature) && host.Has(feature.Name));
                    Assert.True(allowed || !guest.Has(feature.Name), $"{model.Name} {feature.Name}");
                }

                foreach (CpuidLeaf leaf in template.ForVcpu(0))
                {
                    if (leaf.Function < 0x40000000)
                        Assert.True(leaf.Function <= guest.Leaf(0).Eax);
                    else if (leaf.Function >= 0x80000000)
                        Assert.True(leaf.Function <= guest.Leaf(0x80000000).Eax);
                }
            }
        }
    }

    [Fact]
    public void What_the_host_lacks_is_one_warning()
    {
        Assert.Equal(
            ["--cpu kvm64: this host's KVM has no pni, avx, avx2; the guest runs without them"],
            Build(SupportedCpuid.Sparse, "kvm64,+avx,+avx2").Warnings.Select(warning => warning.OnCommandLine()));
        Assert.Equal(
            ["--cpu host: this host's KVM has no avx; the guest runs without it"],
            Build(SupportedCpuid.Sparse, "host,+avx,+x2apic,-aes").Warnings.Select(warning => warning.OnCommandLine()));
        Assert.Empty(Build(SupportedCpuid.Amd, "qemu64").Warnings);
        Assert.Empty(Build(SupportedCpuid.Amd, "host").Warnings);
    }

    [Fact]
    public void A_feature_that_follows_the_topology_is_not_up_to_the_model() =>
        Assert.Equal(
            ["--cpu host,+ht: ht follows --smp, here 1 socket × 1 core × 1 thread = 1 vCPU"],
            Build(SupportedCpuid.Intel, "host,+ht").Warnings.Select(warning => warning.OnCommandLine()));

    [Fact]
    public void Threads_that_an_amd_guest_cannot_tell_from_cores_are_a_warning()
    {
        CpuTopology topology = new(1, 1, 2);

        Assert.Equal(
            ["--cpu kvm64: without topoext an AMD guest may take the 2 threads of a core for cores"],
            Build(SupportedCpuid.Amd, "kvm64", topology: topology).Warnings.Select(warning => warning.OnCommandLine()));
        Assert.Empty(Build(SupportedCpuid.Amd, "host", topology: topology).Warnings);
        Assert.Empty(Build(SupportedCpuid.Intel, "kvm64", topology: topology).Warnings);
    }

    [Fact]
    public void More_vcpus_than_an_xapic_can_address_are_a_warning_without_x2apic()
    {
        CpuTopology many = new(300);

        Assert.Equal(
            ["--cpu host,-x2apic: without x2apic a guest cannot start vCPUs of APIC ids over 254, here up to 299"],
            Build(SupportedCpuid.Intel, "host,-x2apic", topology: many).Warnings.Select(warning => warning.OnCommandLine()));
        Assert.Empty(Build(SupportedCpuid.Intel, "host", topology: many).Warnings);
        Assert.Empty(Build(SupportedCpuid.Intel, "host,-x2apic", topology: new(255)).Warnings);
    }

    [Theory]
    [InlineData("qemu32", 4u, 0x80000004u)]
    [InlineData("qemu32,+fsgsbase", 7u, 0x80000004u)]
    [InlineData("qemu32,+xsave,+xsaveopt", 0xDu, 0x80000004u)]
    [InlineData("qemu32,+invtsc", 4u, 0x80000007u)]
    [InlineData("Nehalem", 0xBu, 0x80000008u)]
    [InlineData("qemu64,level=0x10", 0x10u, 0x8000000Au)]
    [InlineData("host,level=5", 5u, 0x80000008u)]
    public void Levels_are_the_models_raised_by_features(string cpu, uint level, uint xlevel)
    {
        GuestCpuid guest = Guest(SupportedCpuid.Intel, cpu);

        Assert.Equal((level, xlevel), (guest.Leaf(0).Eax, guest.Leaf(0x80000000).Eax));
        Assert.Equal(level >= 0xB, guest.Leaf(0xB, 1).Ecx != 0);
    }

    [Fact]
    public void The_host_model_reaches_the_topology_leaf_even_on_an_old_host()
    {
        GuestCpuid guest = Guest(SupportedCpuid.Read("0 0 0 a 756e6547 6c65746e 49656e69\n1 0 0 6fb 800 0 0"), "host");

        Assert.Equal(0xBu, guest.Leaf(0).Eax);
        Assert.Equal(0x201u, guest.Leaf(0xB, 1).Ecx);
    }

    [Theory]
    [InlineData("host,-avx512f", 0x207u, 0xA88u)]
    [InlineData("host,-avx512f,-pku", 7u, 0x340u)]
    [InlineData("host,-avx,-avx512f,-pku", 3u, 0x240u)]
    [InlineData("host,-sse3", 0x2E7u, 0xA88u)]
    [InlineData("Haswell", 7u, 0x340u)]
    [InlineData("SandyBridge,-avx", 3u, 0x240u)]
    [InlineData("Skylake-Server", 0x2E7u, 0xA88u)]
    [InlineData("Nehalem", 0u, 0u)]
    [InlineData("host,-xsave", 0u, 0u)]
    public void Register_state_is_cut_to_the_features(string cpu, uint xcr0, uint size)
    {
        GuestCpuid guest = Guest(SupportedCpuid.Intel, cpu);

        Assert.Equal((xcr0, size), (guest.Leaf(0xD).Eax, guest.Leaf(0xD).Ecx));
        for (uint component = 2; component < 32; component++)
        {
            if ((xcr0 >> (int)component & 1) == 0)
                Assert.Equal(0u, guest.Leaf(0xD, component).Eax);
        }
    }

    [Fact]
    public void Supervisor_state_needs_xsaves_and_its_feature()
    {
        Assert.Equal(0x1800u, Guest(SupportedCpuid.Amd, "host,-sse3").Leaf(0xD, 1).Ecx);
        Assert.Equal(0u, Guest(SupportedCpuid.Amd, "host,-xsaves").Leaf(0xD, 1).Ecx);
        Assert.Equal(0u, Guest(SupportedCpuid.Amd, "host,-shstk,-ibt").Leaf(0xD, 1).Ecx);
        Assert.Equal(0u, Guest(SupportedCpuid.Amd, "EPYC-Rome").Leaf(0xD, 1).Ecx);
    }

    [Fact]
    public void Amd_repeats_leaf_1_in_the_extended_leaf()
    {
        foreach (string cpu in (string[])["host,-mmx", "qemu64,-mmx", "EPYC"])
        {
            GuestCpuid guest = Guest(SupportedCpuid.Amd, cpu);
            Assert.Equal(guest.Leaf(1).Edx & 0x0183F3FF, guest.Leaf(0x80000001).Edx & 0x0183F3FF);
        }

        Assert.Equal(0u, Guest(SupportedCpuid.Intel, "qemu64").Leaf(0x80000001).Edx & 0x0183F3FF);
    }

    [Fact]
    public void A_vendor_that_is_given_replaces_the_hosts()
    {
        GuestCpuid guest = Guest(SupportedCpuid.Amd, "Haswell,vendor=GenuineIntel");

        Assert.Equal("GenuineIntel", guest.Vendor);
        Assert.Equal(0x306C4u, guest.Leaf(1).Eax);
        Assert.Equal(0u, guest.Leaf(0x80000008).Ecx);
    }

    [Theory]
    [InlineData("EPYC", 0x800F12u)]
    [InlineData("EPYC-Rome", 0x830F10u)]
    [InlineData("host,stepping=3", 0xA10F13u)]
    [InlineData("host,family=270,model=255,stepping=15", 0x0FFF0FFFu)]
    public void Family_model_and_stepping_are_packed_with_their_extensions(string cpu, uint signature)
    {
        GuestCpuid guest = Guest(SupportedCpuid.Amd, cpu);

        Assert.Equal(signature, guest.Leaf(1).Eax);
        Assert.Equal(signature, guest.Leaf(0x80000001).Eax);
    }

    [Fact]
    public void Kvms_own_leaves_stay_and_name_their_last()
    {
        GuestCpuid guest = Guest(SupportedCpuid.Intel, "Nehalem,-kvmclock,-kvm_pv_eoi");

        Assert.Equal(
            new CpuidLeaf(0x40000000, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d, false), guest.Leaf(0x40000000));
        Assert.Equal(0x1007EFBu & ~(9u | 0x40u), guest.Leaf(0x40000001).Eax);
    }

    [Fact]
    public void A_leaf_given_twice_is_kept_once_and_an_index_counts_only_where_flagged()
    {
        CpuidLeaf[] leaves = Build([.. SupportedCpuid.Intel, .. SupportedCpuid.Intel], "host").ForVcpu(0);

        Assert.Equal(leaves.Length, leaves.Select(leaf => (leaf.Function, leaf.Index)).Distinct().Count());
        Assert.Equal(
            Build(SupportedCpuid.Intel, "host").ForVcpu(0),
            leaves);
        Assert.All(
            leaves,
            leaf => Assert.Equal(leaf.Function is 4 or 7 or 0xB or 0xD or 0x1F, leaf.IndexIsSignificant));
    }

    [Fact]
    public void The_list_stays_within_what_kvm_takes()
    {
        foreach (string cpu in (string[])["host", "qemu64", "EPYC-Rome", "x86-64-v3"])
            Assert.InRange(Build(SupportedCpuid.Sparse, cpu).ForVcpu(0).Length, 1, SupportedCpuid.Sparse.Count + 3);
    }

    [Fact]
    public void Any_list_of_leaves_is_survived()
    {
        CpuSelection[] selections =
        [
            .. ((string[])["host", "host,-avx", "kvm64", "EPYC"]).Select(text => CpuText.Parse(text)),
        ];
        CpuTopology topology = new(2, 3, 2);
        uint[] functions = [0, 1, 4, 7, 0xB, 0xD, 0x1F, 0x80000000, 0x80000001, 0x80000008, 0x8000001D];
        Gen.Select(
                Gen.Int[0, functions.Length - 1].Select(i => functions[i]),
                Gen.UInt[0, 3],
                Gen.UInt,
                Gen.UInt,
                Gen.UInt,
                Gen.UInt,
                Gen.Bool)
            .Select((f, i, a, b, c, d, s) => new CpuidLeaf(f, i, a, b, c, d, s))
            .Array[0, 12]
            .Sample(
                leaves =>
                {
                    foreach (CpuSelection selection in selections)
                    {
                        CpuidLeaf[] built = CpuidBuilder.Build(new(leaves), selection, topology).ForVcpu(11);
                        Assert.Equal(
                            built.Length, built.Select(leaf => (leaf.Function, leaf.Index)).Distinct().Count());
                    }
                },
                iter: 100,
                threads: 1);
    }
}
