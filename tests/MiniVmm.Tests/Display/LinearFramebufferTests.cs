using System.Runtime.InteropServices;
using CsCheck;
using MiniVmm.Display;

namespace MiniVmm.Tests.Display;

public sealed unsafe class LinearFramebufferTests : IDisposable
{
    private const int Length = 4096;
    private readonly byte* _memory = (byte*)NativeMemory.AllocZeroed(Length);

    public void Dispose() => NativeMemory.Free(_memory);

    private Span<byte> Memory => new(_memory, Length);

    private LinearFramebuffer Framebuffer => new((nint)_memory, Length);

    [Fact]
    public void Without_a_mode_it_shows_nothing() => Assert.Null(Framebuffer.Capture());

    [Theory]
    [InlineData(32, "563412ff", 0x123456)] // what is above the colours is nothing
    [InlineData(24, "563412", 0x123456)]
    [InlineData(16, "00f8", 0xff0000)]
    [InlineData(16, "e007", 0x00ff00)]
    [InlineData(16, "1f00", 0x0000ff)]
    [InlineData(15, "007c", 0xff0000)]
    [InlineData(15, "e003", 0x00ff00)]
    [InlineData(15, "ff7f", 0xffffff)]
    [InlineData(15, "0080", 0x000000)]
    public void A_dot_has_its_colour_at_each_depth(int bits, string bytes, uint colour)
    {
        byte[] dot = Convert.FromHexString(bytes);
        LinearFramebuffer framebuffer = Framebuffer;
        framebuffer.Mode = new(2, 2, 16, 8, bits);
        dot.CopyTo(Memory[(8 + 16 + dot.Length)..]); // the second of the second line

        ScreenImage image = framebuffer.Capture()!;

        Assert.Equal((2, 2), (image.Width, image.Height));
        Assert.Equal([0, 0, 0, colour], image.Pixels.ToArray());
    }

    [Fact]
    public void A_mode_is_taken_if_all_of_its_dots_are_in_memory_and_then_only() =>
        Gen.Select(Gen.Int[-2, 70], Gen.Int[-2, 70], Gen.Int[-2, 300], Gen.Int[-2, 5000], Gen.Int[0, 3].Select(i => ((int[])[15, 16, 24, 32])[i])).Sample(
            (width, height, pitch, offset, bits) =>
            {
                LinearFramebuffer framebuffer = Framebuffer;
                framebuffer.Mode = new(width, height, pitch, offset, bits);
                int bytes = (bits + 7) / 8;
                bool fits = width > 0 && height > 0 && offset >= 0 && pitch >= width * bytes
                    && offset + ((height - 1) * pitch) + (width * bytes) <= Length;
                Assert.Equal(fits, framebuffer.Mode is not null);
                _ = framebuffer.Capture();
            });
}
