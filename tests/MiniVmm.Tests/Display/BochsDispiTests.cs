using System.Runtime.InteropServices;
using CsCheck;
using MiniVmm.Display;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Display;

/// <summary>Bochs' graphics adapter, as drivers set its modes: by the BAR, and by the ports.</summary>
public sealed unsafe class BochsDispiTests : IDisposable
{
    private const int Length = 1 << 20;
    private const ulong Index = 0, Data = 1;
    private readonly byte* _memory = (byte*)NativeMemory.AllocZeroed(Length);
    private readonly LinearFramebuffer _framebuffer;
    private readonly BochsDispi _dispi;
    private readonly BochsDispiPorts _ports;

    public BochsDispiTests()
    {
        _framebuffer = new((nint)_memory, Length);
        _dispi = new(_framebuffer, Length);
        _ports = new(_dispi);
    }

    public void Dispose() => NativeMemory.Free(_memory);

    [Fact]
    public void A_driver_finds_it_by_its_version_and_its_memory()
    {
        Assert.Equal(0xb0c5UL, Port(0));
        Assert.Equal(Length / 0x10000UL, Port(0xa));
        Assert.Equal(0xb0c5UL, _dispi.In(0x500, 2));
        SetPort(0, 0xb0c4); // an older interface, to see whether there is one
        Assert.Equal(0xb0c4UL, Port(0));
        SetPort(0, 0x1234);
        Assert.Equal(0xb0c4UL, Port(0));
        Assert.Null(_framebuffer.Mode);
    }

    [Theory]
    [InlineData(32, 4)]
    [InlineData(24, 3)]
    [InlineData(16, 2)]
    [InlineData(15, 2)]
    public void A_mode_is_on_once_it_is_enabled(ushort bits, int bytes)
    {
        SetMode(320, 200, bits);

        Assert.Equal(new FrameMode(320, 200, 320 * bytes, 0, bits), _framebuffer.Mode);
        Assert.Equal(320UL, Port(6)); // virtual width
        Assert.Equal((ulong)(Length / (320 * bytes)), Port(7));
        SetPort(4, 0);
        Assert.Null(_framebuffer.Mode);
    }

    [Fact]
    public void The_picture_moves_in_its_memory()
    {
        SetMode(320, 200, 32);
        SetPort(6, 400); // a wider line than is shown
        SetPort(8, 10);
        SetPort(9, 20);

        Assert.Equal(new FrameMode(320, 200, 1600, (20 * 1600) + 40, 32), _framebuffer.Mode);
    }

    [Theory]
    [InlineData(8)] // needs a palette
    [InlineData(4)]
    [InlineData(0)]
    public void Dots_that_it_has_not_are_not_shown(ushort bits)
    {
        SetMode(320, 200, bits);

        Assert.Null(_framebuffer.Mode);
    }

    [Fact]
    public void A_mode_that_does_not_fit_is_not_shown()
    {
        SetMode(2000, 2000, 32);
        Assert.Null(_framebuffer.Mode);
        SetPort(2, 100);
        Assert.NotNull(_framebuffer.Mode);
        SetPort(9, 0xffff);
        Assert.Null(_framebuffer.Mode);
    }

    [Fact]
    public void Enabling_clears_the_screen_unless_it_is_to_be_kept()
    {
        _memory[0] = 1;
        SetMode(320, 200, 32, enable: 0xc1);
        Assert.Equal(1, _memory[0]);
        SetPort(4, 0);
        SetPort(4, 0x41);

        Assert.Equal(0, _memory[0]);
    }

    [Fact]
    public void Asked_for_its_capabilities_it_says_the_largest()
    {
        SetMode(320, 200, 16);
        SetPort(4, 0x03);

        Assert.Equal((2560UL, 1600UL, 32UL), (Port(1), Port(2), Port(3)));
        SetPort(4, 0x01);
        Assert.Equal((320UL, 200UL, 16UL), (Port(1), Port(2), Port(3)));
    }

    [Fact]
    public void A_mode_of_firmwares_is_on_from_the_start()
    {
        _dispi.SetMode(640, 400);

        Assert.Equal(new FrameMode(640, 400, 2560, 0, 32), _framebuffer.Mode);
        Assert.Equal((640UL, 400UL, 32UL), (Port(1), Port(2), Port(3)));
    }

    [Fact]
    public void Whatever_a_guest_writes_what_is_shown_lies_in_the_memory() =>
        Gen.Select(Gen.ULong[0, 0x1000], Gen.Int[0, 3], Gen.ULong).Array[0, 60].Sample(writes =>
        {
            LinearFramebuffer framebuffer = new((nint)_memory, Length);
            BochsDispi dispi = new(framebuffer, Length);
            BochsDispiPorts ports = new(dispi);
            foreach ((ulong at, int width, ulong value) in writes)
            {
                dispi.Out(width == 1 ? 0x500 + (at % 0x18) : at, value & 0x3ff, 1 << width);
                ports.Out(at % 3, value, 1 << width);
                _ = dispi.In(at, 1 << width);
                _ = ports.In(at % 3, 1 << width);
                if (framebuffer.Mode is { } mode)
                    Assert.True(mode.FitsIn(Length));
            }
        });

    [Fact]
    public void Nothing_is_allocated_when_a_guest_sets_modes()
    {
        SetMode(320, 200, 32);
        byte[] value = [0x41, 0];
        Assert.Equal(0, Allocations.Steady(() =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            _dispi.Write(0x508, value);
            _dispi.Read(0x508, value);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }));
    }

    private ulong Port(ushort register)
    {
        _ports.Out(Index, register, 2);
        return _ports.In(Data, 2);
    }

    private void SetPort(ushort register, ushort value)
    {
        _ports.Out(Index, register, 2);
        _ports.Out(Data, value, 2);
    }

    private void SetMode(ushort width, ushort height, ushort bits, ushort enable = 0x41)
    {
        SetPort(1, width);
        SetPort(2, height);
        SetPort(3, bits);
        SetPort(4, enable);
    }
}
