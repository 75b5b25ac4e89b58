using MiniVmm.Gdb;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Gdb;

public sealed class WrittenBreakpointsTests : IDisposable
{
    private const ulong RamSize = 2 * MemoryLayout.MiB;
    private const ulong High = 0xffff_ffff_8000_0000;
    private readonly RamBacking _backing = RamBacking.Allocate(new(RamSize), RamSize);
    private readonly GuestMemory _memory;
    private readonly WrittenBreakpoints _breakpoints;

    public WrittenBreakpointsTests()
    {
        _memory = _backing.Slots(new GuestMemoryMap(RamSize));
        _breakpoints = new WrittenBreakpoints(_memory);
    }

    public void Dispose() => _backing.Dispose();

    [Fact]
    public void What_was_there_comes_back()
    {
        _memory.TryWrite(0x10_0000, (byte)0x90);
        Assert.True(_breakpoints.TryWrite(High, 0x10_0000));
        Assert.True(_breakpoints.TryWrite(0x10_0000, 0x10_0000)); // the same byte
        Assert.Equal((true, 0xcc), (_breakpoints.IsAt(High), Byte()));

        _breakpoints.Remove();

        Assert.Equal((true, 0x90), (_breakpoints.IsEmpty, Byte()));
        Assert.False(_breakpoints.TryWrite(High, RamSize));
    }

    [Fact]
    public void What_the_guest_writes_over_one_stays_and_the_breakpoint_too()
    {
        _breakpoints.TryWrite(High, 0x10_0000);
        _memory.TryWrite(0x10_0000, (byte)0x55); // it unpacks itself
        _breakpoints.Renew((linear, physical) => (linear, physical) == (High, 0x10_0000));
        Assert.Equal(0xcc, Byte());
        _breakpoints.Remove();
        Assert.Equal(0x55, Byte());

        _breakpoints.TryWrite(High, 0x10_0000);
        _memory.TryWrite(0x10_0000, (byte)0x66);
        _breakpoints.Remove();
        Assert.Equal(0x66, Byte());
    }

    [Fact]
    public void What_the_guest_writes_where_no_code_is_any_more_stays_as_it_is()
    {
        _breakpoints.TryWrite(High, 0x10_0000);
        _memory.TryWrite(0x10_0000, (byte)0x55);

        _breakpoints.Renew((_, _) => false);

        Assert.Equal((true, 0x55), (_breakpoints.IsAt(High), Byte()));
    }

    private byte Byte() => _memory.TryRead(0x10_0000, out byte value) ? value : throw new InvalidOperationException();
}
