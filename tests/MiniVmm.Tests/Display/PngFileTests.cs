using CsCheck;
using MiniVmm.Display;

namespace MiniVmm.Tests.Display;

public sealed class PngFileTests
{
    [Fact]
    public void A_decoder_finds_the_dots_that_were_there() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[1, 20], Gen.UInt[0, 0xff_ffff].Array[800]).Sample((width, height, pixels) =>
        {
            (int decodedWidth, int decodedHeight, uint[] decoded) = PngReader.Decode(
                PngFile.Encode(new ScreenImage(width, height, pixels)));

            Assert.Equal((width, height), (decodedWidth, decodedHeight));
            Assert.Equal(pixels[..(width * height)], decoded);
        });

    [Fact]
    public void It_is_three_chunks_each_with_its_checksum()
    {
        byte[] file = PngFile.Encode(new ScreenImage(1, 1, [0x123456]));

        // The last chunk is the same in every file, with a checksum that the specification's tools give.
        Assert.Equal([0, 0, 0, 0, .. "IEND"u8, 0xae, 0x42, 0x60, 0x82], file[^12..]);
        Assert.Equal(["IHDR", "IDAT", "IEND"], PngReader.Chunks(file).Select(chunk => chunk.Type));
    }
}
