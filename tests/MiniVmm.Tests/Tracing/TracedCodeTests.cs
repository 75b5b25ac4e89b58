using MiniVmm.Kvm;
using MiniVmm.Tracing;

namespace MiniVmm.Tests.Tracing;

/// <summary>Which instruction an exit is about, where KVM may have passed it already.</summary>
public sealed class TracedCodeTests
{
    private const ulong Rip = 0x10_0010;
    private static readonly byte[] OutDxAl = [0xee];
    private static readonly byte[] InAlDx = [0xec];

    [Fact]
    public void An_instruction_at_RIP_is_found_there()
    {
        TracedCode.Found found = Find(Made.Port(0x3f8, 1, 0), [0x90, 0x90], [.. OutDxAl, 0x90], passes: false);

        Assert.Equal((Rip, "out dx,al", "main+0x10"), (found.Address, found.Text, found.Symbol));
    }

    [Fact]
    public void One_that_KVM_has_passed_is_found_before_it()
    {
        TracedCode.Found found = Find(Made.Port(0x3f8, 1, 0), [0x90, 0x90, .. OutDxAl], [.. InAlDx, 0x90], passes: true);

        Assert.Equal((Rip - 1, "out dx,al"), (found.Address, found.Text));
    }

    [Fact]
    public void Of_two_in_a_row_the_kind_of_KVM_says_which()
    {
        Assert.Equal(Rip, Find(Made.Port(0x3f8, 1, 0), OutDxAl, OutDxAl, passes: false).Address);
        Assert.Equal(Rip - 1, Find(Made.Port(0x3f8, 1, 0), OutDxAl, OutDxAl, passes: true).Address);
    }

    [Fact]
    public void The_same_RIP_can_be_the_end_of_one_exit_and_the_start_of_the_next()
    {
        TracedCode code = new(Made.Code(0, Rip, 64, OutDxAl, InAlDx));
        FakeNames names = new() { PassesOut = true };

        Assert.Equal("out dx,al", code.Find(Made.Port(0x3f8, 1, 0), names).Text);
        Assert.Equal("in al,dx", code.Find(Made.Port(0x3fd, 1, 0, write: false), names).Text);
    }

    [Theory]
    [InlineData(new byte[] { 0x66, 0xef }, 2, "out dx,ax")]
    [InlineData(new byte[] { 0xef }, 4, "out dx,eax")]
    [InlineData(new byte[] { 0xe6, 0x70 }, 1, "out 70h,al")]
    public void The_width_and_the_port_of_an_OUT_have_to_fit(byte[] code, byte size, string text)
    {
        TraceEvent exit = Made.Port(0x70, 0, 0);
        exit.Size = size;

        Assert.Equal(text, Find(exit, [0x90, 0x90, 0x90, .. code], [0x90], passes: true).Text);
    }

    [Theory]
    [InlineData(new byte[] { 0x89, 0x87, 0x50, 0x00, 0x00, 0x00 }, 4, "mov [rdi+50h],eax")]
    [InlineData(new byte[] { 0x41, 0xc6, 0x04, 0x24, 0x41 }, 1, "mov byte [r12],41h")]
    [InlineData(new byte[] { 0x48, 0x89, 0x07 }, 8, "mov [rdi],rax")]
    public void A_write_to_memory_is_behind_KVM_and_prefixes_belong_to_it(byte[] code, byte size, string text)
    {
        TraceEvent exit = new() { Kind = TraceEventKind.MemoryWrite, Reason = (uint)KvmExitReason.KVM_EXIT_MMIO, Size = size, Count = 1 };

        Assert.Equal(text, Find(exit, [0x55, 0x48, 0x89, 0xe5, .. code], [0xc3], passes: false).Text?.Replace("ptr ", ""));
    }

    [Fact]
    public void Without_code_there_is_the_address_alone()
    {
        TracedCode.Found found = Find(Made.Port(0x3f8, 1, 0), [], [], passes: false);

        Assert.Equal((Rip, null), (found.Address, found.Text));
    }

    [Fact]
    public void Bytes_that_are_no_such_instruction_are_not_taken_for_one() =>
        Assert.Null(Find(Made.Port(0x3f8, 1, 0), [0x90], [0x90], passes: false).Text);

    private static TracedCode.Found Find(TraceEvent exit, byte[] before, byte[] after, bool passes) =>
        new TracedCode(Made.Code(0, Rip, 64, before, after)).Find(exit, new FakeNames { PassesOut = passes });
}
