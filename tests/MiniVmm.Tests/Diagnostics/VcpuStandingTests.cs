using MiniVmm.Diagnostics;
using MiniVmm.Kvm;

namespace MiniVmm.Tests.Diagnostics;

public sealed class VcpuStandingTests
{
    private const ulong Rip = 0x10_0010;
    private const ulong InterruptsOn = 0x202;

    [Theory]
    [InlineData(KvmConstants.KVM_MP_STATE_UNINITIALIZED)]
    [InlineData(KvmConstants.KVM_MP_STATE_INIT_RECEIVED)]
    public void One_that_was_never_started_waits_for_its_SIPI(uint state) =>
        Assert.Equal("waiting for SIPI", Describe(Protected([0xf4]) with { MpState = state }));

    [Theory]
    [InlineData(2, "halted with interrupts off at 0x10000f (f)")]
    [InlineData(InterruptsOn, "halted, waiting for an interrupt, at 0x10000f (f)")]
    public void One_that_halted_stands_at_its_HLT(ulong flags, string expected) =>
        Assert.Equal(
            expected,
            Describe(Protected([0xf4, 0xeb, 0xfd], flags) with { MpState = KvmConstants.KVM_MP_STATE_HALTED }));

    [Theory]
    [InlineData("ebfe", "in an endless loop at 0x100010 (f)")] // jmp to itself
    [InlineData("e9fbffffff", "in an endless loop at 0x100010 (f)")]
    [InlineData("f390ebfc", "in the loop 0x100010-0x100012 at 0x100010 (f)")] // pause; jmp
    [InlineData("ee75fd", "in the loop 0x100010-0x100011 at 0x100010 (f)")] // out; jnz
    [InlineData("7402ee90ebf0", "in the loop 0x100006-0x100014 at 0x100010 (f)")] // a way out of it, or past the next
    [InlineData("c3", "running at 0x100010 (f)")] // ret
    [InlineData("90e8fafffffeebf0", "running at 0x100010 (f)")] // a call goes elsewhere
    [InlineData("eb10", "running at 0x100010 (f)")] // forward
    [InlineData("eb80", "running at 0x100010 (f)")] // far back
    [InlineData("74fe", "running at 0x100010 (f)")] // conditional, to itself: goes on or has gone
    [InlineData("0f", "running at 0x100010 (f)")] // the page's end
    [InlineData("", "running at 0x100010 (f)")] // no RAM
    public void A_loop_is_told_where_the_code_is_one(string code, string expected) =>
        Assert.Equal(expected, Describe(Protected(Convert.FromHexString(code))));

    [Fact]
    public void Interrupts_that_are_off_are_told() =>
        Assert.Equal("in an endless loop at 0x100010 (f), interrupts off", Describe(Protected([0xeb, 0xfe], flags: 2)));

    [Fact]
    public void In_real_mode_the_place_is_segment_and_offset()
    {
        VcpuStanding standing = Protected([0xc3]);
        kvm_sregs sregs = new();
        sregs.cs = new() { selector = 0x1000, @base = 0x10000 };
        standing = standing with { Sregs = sregs, Regs = new() { rip = 0x12, rflags = InterruptsOn } };

        ulong? asked = null;
        Assert.Equal("running at 1000:0012", standing.Describe((linear, _) =>
        {
            asked = linear;
            return null;
        }));
        Assert.Equal(0x10012UL, asked);
    }

    [Fact]
    public void User_code_is_not_the_kernels()
    {
        VcpuStanding standing = Protected([0xc3]);
        kvm_sregs sregs = standing.Sregs;
        sregs.cs.selector = 0x1b;

        Assert.Equal("running user code at 0x100010 (f)", Describe(standing with { Sregs = sregs }));
    }

    [Fact]
    public void VCPUs_in_a_row_that_stand_alike_share_a_line() =>
        Assert.Equal(
            "vCPU 0: a\nvCPUs 1-3: b\nvCPU 4: a\nvCPU 6: a\n",
            EndReport.Group([(0, "a"), (1, "b"), (2, "b"), (3, "b"), (4, "a"), (6, "a")]));

    private static string Describe(VcpuStanding standing) => standing.Describe((_, _) => "f");

    private static VcpuStanding Protected(byte[] code, ulong flags = InterruptsOn)
    {
        kvm_sregs sregs = new() { cr0 = 0x11 };
        sregs.cs = new() { selector = 0x08, db = 1 };
        return new(KvmConstants.KVM_MP_STATE_RUNNABLE, new() { rip = Rip, rflags = flags }, sregs, Rip, code);
    }
}
