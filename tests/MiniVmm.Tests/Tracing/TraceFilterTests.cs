using MiniVmm.Kvm;
using MiniVmm.Tests.Cli;
using MiniVmm.Tracing;

namespace MiniVmm.Tests.Tracing;

/// <summary>What <c>--trace</c> takes, and what it lets through.</summary>
public sealed class TraceFilterTests
{
    private const uint Io = (uint)KvmExitReason.KVM_EXIT_IO;
    private const uint Mmio = (uint)KvmExitReason.KVM_EXIT_MMIO;

    [Fact]
    public void Kinds_and_conditions_are_read()
    {
        TraceFilter filter = TraceFilter.Parse("io,mmio,vcpu=2,port=0x3f8-0x3ff,addr=0xfee00000,device=COM1,after=10,limit=100");

        Assert.Equal(TraceKinds.Io | TraceKinds.Mmio, filter.Kinds);
        Assert.Equal(2, filter.Vcpu);
        Assert.Equal((0x3f8UL, 0x3ffUL), filter.Ports);
        Assert.Equal((0xfee0_0000UL, 0xfee0_0000UL), filter.Addresses);
        Assert.Equal("COM1", filter.Device);
        Assert.Equal(10, filter.After);
        Assert.Equal(100, filter.Limit);
        Assert.False(filter.TakesAllExits);
    }

    [Fact]
    public void Conditions_alone_are_about_everything_that_they_can_be_about()
    {
        Assert.Equal(TraceKinds.All, TraceFilter.Parse("limit=5").Kinds);
        Assert.Equal(TraceKinds.Exits, TraceFilter.Parse("port=0x60").Kinds);
        Assert.True(TraceFilter.Parse("exits").TakesAllExits);
        Assert.True(TraceFilter.Everything.TakesAllExits);
    }

    [Theory]
    [InlineData("", "--trace : '' cannot be traced")]
    [InlineData("ios", "--trace ios: 'ios' cannot be traced; exits, io, mmio")]
    [InlineData("io,", "--trace io,: '' cannot be traced")]
    [InlineData("io,port=", "'' is no whole number from 0 to 65535")]
    [InlineData("io,port=0x10000", "'0x10000' is no whole number from 0 to 65535")]
    [InlineData("io,port=5-3", "port=5-3 ends before it begins")]
    [InlineData("io,port=-3", "'' is no whole number")]
    [InlineData("vcpu=4096", "from 0 to 4095")]
    [InlineData("limit=+1", "'+1' is no whole number")]
    [InlineData("limit=9223372036854775808", "no whole number from 0 to 9223372036854775807")]
    [InlineData("device=", "'device=' is none of")]
    [InlineData("colour=red", "'colour=red' is none of vcpu=N")]
    public void What_cannot_be_traced_is_refused_with_the_word_that_is_wrong(string text, string message) =>
        Assert.Contains(message, Assert.Throws<BadInputException>(() => TraceFilter.Parse(text)).OnCommandLine());

    [Theory]
    [InlineData("all", true, true, true, true)]
    [InlineData("exits", true, true, true, false)]
    [InlineData("io", true, false, false, false)]
    [InlineData("mmio", false, true, false, false)]
    [InlineData("irq", false, false, false, true)]
    [InlineData("unclaimed", true, true, false, false)]
    [InlineData("irq,unclaimed", true, true, false, true)]
    [InlineData("msr", false, false, false, false)]
    public void A_kind_lets_its_own_events_through(string text, bool port, bool memory, bool other, bool interrupt)
    {
        TraceFilter filter = TraceFilter.Parse(text);

        Assert.Equal(port, filter.Admits(TraceEventKind.PortWrite, Io, 0x3f8));
        Assert.Equal(memory, filter.Admits(TraceEventKind.MemoryRead, Mmio, 0xd000_0000));
        Assert.Equal(other, filter.Admits(TraceEventKind.Exit, (uint)KvmExitReason.KVM_EXIT_HLT, 0));
        Assert.Equal(interrupt, filter.Admits(TraceEventKind.Interrupt, 0, 0));
    }

    [Fact]
    public void Accesses_to_unknown_MSRs_are_a_kind_of_their_own()
    {
        Assert.True(TraceFilter.Parse("msr").Admits(TraceEventKind.Exit, (uint)KvmExitReason.KVM_EXIT_X86_RDMSR, 0x1234));
        Assert.False(TraceFilter.Parse("msr").Admits(TraceEventKind.Exit, (uint)KvmExitReason.KVM_EXIT_HLT, 0));
    }

    [Theory]
    [InlineData("unclaimed", false, false, true, true)]
    [InlineData("irq,unclaimed", false, false, true, true)]
    [InlineData("io,unclaimed", true, false, true, true)]
    [InlineData("mmio,unclaimed", false, true, true, true)]
    [InlineData("io", true, false, true, false)]
    [InlineData("all", true, true, true, true)]
    public void Of_accesses_those_are_shown_that_are_nobodys_or_of_a_kind_that_is_wanted(
        string text, bool claimedPort, bool claimedMemory, bool port, bool memory)
    {
        TraceFilter filter = TraceFilter.Parse(text);

        Assert.Equal(claimedPort, filter.AdmitsAccess(isPort: true, isClaimed: true));
        Assert.Equal(claimedMemory, filter.AdmitsAccess(isPort: false, isClaimed: true));
        Assert.Equal(port, filter.AdmitsAccess(isPort: true, isClaimed: false));
        Assert.Equal(memory, filter.AdmitsAccess(isPort: false, isClaimed: false));
    }

    [Fact]
    public void Ports_narrow_down_what_is_nobodys_too()
    {
        TraceFilter filter = TraceFilter.Parse("unclaimed,port=0xe0");

        Assert.True(filter.Admits(TraceEventKind.PortRead, Io, 0xe0));
        Assert.False(filter.Admits(TraceEventKind.PortRead, Io, 0xe1));
        Assert.False(filter.Admits(TraceEventKind.MemoryRead, Mmio, 0xe0));
    }

    [Theory]
    [InlineData(0x3f7, false)]
    [InlineData(0x3f8, true)]
    [InlineData(0x3ff, true)]
    [InlineData(0x400, false)]
    public void Ports_leave_nothing_but_accesses_to_them(ulong port, bool admitted)
    {
        TraceFilter filter = TraceFilter.Parse("all,port=0x3f8-0x3ff");

        Assert.Equal(admitted, filter.Admits(TraceEventKind.PortRead, Io, port));
        Assert.False(filter.Admits(TraceEventKind.MemoryRead, Mmio, port));
        Assert.False(filter.Admits(TraceEventKind.Kick, 0, 0));
        Assert.False(filter.Admits(TraceEventKind.Interrupt, 0, 0));
    }
}
