using System.Buffers.Binary;
using CsCheck;
using MiniVmm.Display;
using MiniVmm.Tests.Virtio;

namespace MiniVmm.Tests.Display;

/// <summary>A framebuffer in the guest's RAM, of which it says by fw_cfg where it is.</summary>
public sealed unsafe class RamFramebufferTests : IDisposable
{
    private const uint Xr24 = 0x34325258, Rg24 = 0x34324752, Rg16 = 0x36314752;
    private readonly TestMemory _memory = new((0, 1 << 20), (1 << 30, 8192));
    private readonly RamFramebuffer _ramfb;

    public RamFramebufferTests() => _ramfb = new(_memory.Memory);

    public void Dispose() => _memory.Dispose();

    [Theory]
    [InlineData(Xr24, 12, "563412ff", 0x123456)]
    [InlineData(Xr24, 0, "563412ff", 0x123456)] // lines without a gap
    [InlineData(Rg24, 12, "563412", 0x123456)]
    [InlineData(Rg16, 12, "00f8", 0xff0000)]
    public void It_shows_what_lies_in_RAM(uint fourcc, uint pitch, string dot, uint colour)
    {
        byte[] bytes = Convert.FromHexString(dot);
        bytes.CopyTo(_memory.Bytes(0x4000_0000 + (pitch == 0 ? 3u * (uint)bytes.Length : pitch), bytes.Length));

        Say(0x4000_0000, fourcc, 3, 2, pitch);

        ScreenImage image = _ramfb.Framebuffer.Capture()!;
        Assert.Equal((3, 2), (image.Width, image.Height));
        Assert.Equal([0, 0, 0, colour, 0, 0], image.Pixels.ToArray());
        Assert.False(_ramfb.Framebuffer.IsBlack);
    }

    [Theory]
    [InlineData(0x4000_0000ul, Xr24, 8u, 257u, 32u)] // over the end of RAM
    [InlineData(0x10_0000ul, Xr24, 8u, 8u, 32u)] // in a hole
    [InlineData(ulong.MaxValue - 10, Xr24, 8u, 8u, 32u)]
    [InlineData(0ul, 0x3432_4258u, 8u, 8u, 32u)] // red in the lowest bits
    [InlineData(0ul, Xr24, 9u, 8u, 32u)] // lines that overlap
    [InlineData(0ul, Xr24, 0u, 8u, 32u)]
    [InlineData(0ul, Xr24, 8u, 0u, 32u)]
    [InlineData(0ul, Rg16, uint.MaxValue, 1u, 0u)]
    [InlineData(0ul, Xr24, 1u, uint.MaxValue, 4u)]
    [InlineData(0ul, Xr24, 0x4000_0000u, 4u, 0u)]
    public void What_is_no_picture_or_not_all_in_RAM_is_not_shown(ulong address, uint fourcc, uint width, uint height, uint pitch)
    {
        Say(0, Xr24, 4, 4, 16);
        Assert.NotNull(_ramfb.Framebuffer.Mode);

        Say(address, fourcc, width, height, pitch);

        Assert.Null(_ramfb.Framebuffer.Capture());
    }

    [Fact]
    public void Whatever_a_guest_says_only_its_RAM_is_looked_at()
    {
        Gen<uint> number = Gen.OneOf(Gen.UInt, Gen.UInt[0, 40], Gen.UInt[8180, 8200]);
        Gen<ulong> place = Gen.OneOf(Gen.ULong, Gen.ULong[0xf_f000, 0x10_0010], Gen.ULong[0x4000_0000, 0x4000_2000]);
        Gen<uint> code = Gen.Int[0, 3].Select(i => ((uint[])[Xr24, Rg24, Rg16, 0])[i]);
        Gen.Select(place, code, number, number, number).Sample(
            (address, fourcc, width, height, pitch) =>
            {
                Say(address, fourcc, width, height, pitch);
                if (_ramfb.Framebuffer.Mode is { } mode)
                    Assert.True(_memory.Memory.TryResolve(address, (ulong)mode.Pitch * (ulong)mode.Height, out _));
                _ = _ramfb.Framebuffer.Capture();
                _ = _ramfb.Framebuffer.IsBlack;
            },
            threads: 1);
    }

    [Fact]
    public void A_vCPUs_thread_allocates_nothing() => Assert.Equal(0, Allocations.Steady(() =>
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        _ramfb.Written();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }));

    private void Say(ulong address, uint fourcc, uint width, uint height, uint pitch)
    {
        Span<byte> file = _ramfb.Content;
        BinaryPrimitives.WriteUInt64BigEndian(file, address);
        BinaryPrimitives.WriteUInt32BigEndian(file[8..], fourcc);
        BinaryPrimitives.WriteUInt32BigEndian(file[16..], width);
        BinaryPrimitives.WriteUInt32BigEndian(file[20..], height);
        BinaryPrimitives.WriteUInt32BigEndian(file[24..], pitch);
        _ramfb.Written();
    }
}
