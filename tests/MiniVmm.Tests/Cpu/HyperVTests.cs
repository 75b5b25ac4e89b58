using MiniVmm.Configuration;
using MiniVmm.Cpu;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Cpu;

public sealed class HyperVTests
{
    // As Linux 6.1 answers on an AMD processor.
    private static readonly IReadOnlyList<CpuidLeaf> Supported = SupportedCpuid.Read("""
        40000000 0 0 4000000a 7263694d 666f736f 76482074
        40000001 0 0 31237648 0 0 0
        40000003 0 0 2ef3 30 0 80510
        40000004 0 0 20e2c fff 0 0
        """);

    private static readonly CpuidLeaf Microsoft = new(0x40000000, 0, 0x40000006, 0x7263694D, 0x666F736F, 0x76482074, false);

    private static CpuidTemplate Build(string cpu, IReadOnlyList<CpuidLeaf>? supported = null) => CpuidBuilder.Build(
        new(SupportedCpuid.Amd) { HyperV = () => supported ?? Supported }, CpuText.Parse(cpu), new(2));

    private static GuestCpuid Guest(string cpu) => new(Build(cpu).ForVcpu(0));

    [Fact]
    public void It_comes_first_and_kvm_a_hundred_leaves_later()
    {
        foreach (string model in (string[])["host", "qemu64"])
        {
            GuestCpuid guest = Guest($"{model},hv-relaxed");

            Assert.Equal(Microsoft, guest.Leaf(0x40000000));
            Assert.Equal(0x31237648u, guest.Leaf(0x40000001).Eax);
            Assert.Equal(
                new CpuidLeaf(0x40000100, 0, 0x40000101, 0x4b4d564b, 0x564b4d56, 0x4d, false), guest.Leaf(0x40000100));
            Assert.Equal(0x1007EFBu, guest.Leaf(0x40000101).Eax);
        }
    }

    [Theory]
    [InlineData("hv-relaxed", 0x20u, 0u, 0x20u, 0xFFFFFFFFu)]
    [InlineData("hv_vapic,hv_spinlocks=0x1fff", 0x30u, 0u, 8u, 0x1FFFu)]
    [InlineData("hv-vpindex,hv-runtime,hv-time", 0x263u, 0u, 0u, 0xFFFFFFFFu)]
    [InlineData("hv-frequencies,hv-reenlightenment", 0x2820u, 0x100u, 0u, 0xFFFFFFFFu)]
    [InlineData("hv-vpindex,hv-tlbflush,hv-ipi,hv-xmm-input", 0x60u, 0x10u, 0xC04u, 0xFFFFFFFFu)]
    [InlineData("hv-relaxed,hv-time,hv-time=off", 0x20u, 0u, 0x20u, 0xFFFFFFFFu)]
    public void The_guest_sees_what_was_asked_for_and_no_more(string parts, uint may, uint extras, uint should, uint retries)
    {
        GuestCpuid guest = Guest($"qemu64,{parts}");

        Assert.Equal((may, extras), (guest.Leaf(0x40000003).Eax, guest.Leaf(0x40000003).Edx));
        Assert.Equal((should, retries), (guest.Leaf(0x40000004).Eax, guest.Leaf(0x40000004).Ebx));
        Assert.Equal(64u, guest.Leaf(0x40000005).Eax);
    }

    [Fact]
    public void It_can_have_another_name_and_hide_kvm()
    {
        GuestCpuid guest = Guest("host,hv-vendor-id=Elsewhere,hv-time,kvm=off");

        Assert.Equal(0x65736C45u, guest.Leaf(0x40000000).Ebx); // "Else"
        Assert.Equal(default, guest.Leaf(0x40000100));
        Assert.Equal(default, Guest("host,kvm=off").Leaf(0x40000000));
    }

    [Fact]
    public void What_kvm_lacks_is_a_warning()
    {
        Assert.Equal(
            ["--cpu host: this host's KVM has no hv-avic, hv-no-nonarch-coresharing; the guest runs without them"],
            Build("host,hv-time,hv-avic=off,hv-avic,hv-no-nonarch-coresharing", [.. Supported.Select(WithoutAvic)])
                .Warnings.Select(warning => warning.OnCommandLine()));
        Assert.Equal(
            ["--cpu host: this host's KVM has no hv-time; the guest runs without it"],
            Build("host,hv-time", []).Warnings.Select(warning => warning.OnCommandLine()));

        static CpuidLeaf WithoutAvic(CpuidLeaf leaf) => leaf.Function == 0x40000004 ? leaf with { Eax = leaf.Eax & ~0x200u } : leaf;
    }

    [Theory]
    [InlineData("hv-synic", "MiniVmm has no hv-synic: it needs a device for messages, which MiniVmm has not")]
    [InlineData("hv-evmcs", "MiniVmm has no hv-evmcs: it is for hypervisors inside the guest")]
    [InlineData("hv-passthrough", "MiniVmm has no hv-passthrough: name those that the guest is to have")]
    [InlineData("hv-tlbflush", "hv-tlbflush needs hv-vpindex")]
    [InlineData("hv-spinlocks=5", "hv-spinlocks '5' is not a number from 4095 to 0xffffffff")]
    [InlineData("hv-vendor-id=ABCDEFGHIJKLM", "hv-vendor-id is longer than 12 ASCII characters")]
    [InlineData("hv-warp", "MiniVmm has no hv-warp: there are hv-relaxed, hv-vapic, hv-spinlocks, hv-vpindex, hv-runtime, "
        + "hv-time, hv-frequencies, hv-reenlightenment, hv-tlbflush, hv-ipi, hv-xmm-input, hv-tlbflush-ext, hv-avic, "
        + "hv-no-nonarch-coresharing")]
    public void What_kvm_does_not_carry_alone_is_refused_by_name(string part, string reason) =>
        Assert.Equal(
            $"--cpu host,{part}: {reason}",
            Assert.Throws<BadInputException>(() => CpuText.Parse($"host,{part}")).OnCommandLine());
}
