using CsCheck;
using MiniVmm.Boot;

namespace MiniVmm.Tests.Boot;

public sealed class FlatBinaryLoaderTests
{
    private static BootRequest Request(BinaryFormat format, ulong? load = null, EntryChoice? entry = null, int size = 512) =>
        Requests.For(new byte[size]) with { Format = format, LoadAddress = load, Entry = entry };

    private static EntryChoice At(ulong address) => new($"0x{address:x}", address);

    [Theory]
    [InlineData(BinaryFormat.Flat16, 0x7c00ul, "Real16")]
    [InlineData(BinaryFormat.Flat32, 0x100000ul, "Protected32")]
    [InlineData(BinaryFormat.Flat64, 0x100000ul, "Long64")]
    public void Each_format_has_its_usual_address_and_mode(BinaryFormat format, ulong address, string mode)
    {
        BootImage image = BootLoader.Load(Request(format));

        Assert.Equal((mode, address), (image.Entry.Mode.ToString(), image.Entry.Rip));
        Assert.Equal(address, image.Segment("flat binary").Address);
        Assert.Equal((0ul, 0ul), (image.Entry.Rax, image.Entry.Rbx));
        Requests.AssertSound(image);
    }

    [Fact]
    public void A_boot_sector_is_told_of_the_first_hard_disk() =>
        Assert.Equal(0x80ul, BootLoader.Load(Request(BinaryFormat.Flat16)).Entry.Rdx);

    [Fact]
    public void It_lies_and_is_entered_where_it_is_told()
    {
        BootImage image = BootLoader.Load(Request(BinaryFormat.Flat32, 0x20_0000, At(0x20_0010)));

        Assert.Equal((0x20_0000ul, 0x20_0010ul), (image.Segment("flat binary").Address, image.Entry.Rip));
    }

    [Theory]
    [InlineData(0x20_0200ul)]
    [InlineData(0x1f_fffful)]
    [InlineData(ulong.MaxValue)]
    public void An_entry_outside_of_it_is_refused(ulong entry) => Assert.Equal(
        $"--entry 0x{entry:x}: kernel.bin lies from 0x200000 to 0x2001ff",
        Requests.Refusal(Request(BinaryFormat.Flat32, 0x20_0000, At(entry))));

    [Fact]
    public void An_entry_that_is_no_address_is_refused() => Assert.StartsWith(
        "--entry main: not an address", Requests.Refusal(Request(BinaryFormat.Flat64, entry: new("main", null))),
        StringComparison.Ordinal);

    [Theory]
    [InlineData(BinaryFormat.Flat16, 0x100000ul, "the entry point 0x100000 is not below 0x100000")]
    [InlineData(BinaryFormat.Flat32, 0x1_0000_0000ul, "the entry point 0x100000000 is not below 0x100000000")]
    [InlineData(BinaryFormat.Flat64, 0x4000_0000ul, "is not in RAM")]
    [InlineData(BinaryFormat.Flat32, 0xffff_fffful, "is not in RAM")]
    public void An_address_out_of_reach_is_refused(BinaryFormat format, ulong load, string reason) =>
        Assert.Contains(reason, Requests.Refusal(Request(format, load)), StringComparison.Ordinal);

    [Fact]
    public void What_it_cannot_be_told_is_refused()
    {
        BootRequest request = Request(BinaryFormat.Flat32);

        Assert.Equal("--format flat32 cannot be told \"quiet\": leave out --append",
            Requests.Refusal(request with { CommandLine = "quiet" }));
        Assert.Equal("--format flat32 cannot be told of m.img: leave out --initrd and --module",
            Requests.Refusal(request with { Modules = [Requests.Module("m.img", [1])] }));
    }

    [Fact]
    public void A_kernel_that_says_itself_where_it_goes_is_not_moved()
    {
        byte[] kernel = MultibootFiles.Elf().Build();

        Assert.StartsWith("--load-addr 0x1000: kernel.bin says itself where it goes", Requests.Refusal(
            Requests.For(kernel) with { LoadAddress = 0x1000 }), StringComparison.Ordinal);
        Assert.StartsWith("--entry 3: kernel.bin says itself where it is entered", Requests.Refusal(
            Requests.For(kernel) with { Entry = new("3", 3) }), StringComparison.Ordinal);
    }

    [Fact]
    public void At_any_address_it_is_loaded_or_refused() => Gen.Select(
        Gen.Int[1, 3], Gen.OneOf(Gen.ULong, Gen.ULong[0, 0x400_0000]), Gen.Int[1, 200_000]).Sample(
        (format, load, size) =>
        {
            try
            {
                Requests.AssertSound(BootLoader.Load(Request((BinaryFormat)format, load, size: size)));
            }
            catch (BadInputException)
            {
                // Refused, with a reason: any other exception is a mistake.
            }
        },
        iter: 1000,
        threads: 1);
}
