using CsCheck;
using MiniVmm.Symbols;

namespace MiniVmm.Tests.Symbols;

public sealed class DwarfFramesTests
{
    // x86-64's usual common entry: CFA is RSP + 8, the return address just below it.
    private static readonly byte[] Common = [0xff, 0xff, 0xff, 0xff, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x80 + 16, 1];

    // push rbp (1 byte), mov rbp, rsp (3): CFA is RSP + 16 with RBP saved, then RBP + 16; at the end RSP + 8 again.
    private static readonly byte[] Function =
    [
        0, 0, 0, 0, 0x00, 0x10, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0,
        0x41, 0x0e, 16, 0x80 + 6, 2, 0x43, 0x0d, 6, 0x0a, 0x02, 0x10, 0x0c, 7, 8, 0xc0 + 6, 0x0b,
    ];

    [Theory]
    [InlineData(0x1000UL, 7UL, 8, false)]
    [InlineData(0x1001UL, 7UL, 16, true)]
    [InlineData(0x1004UL, 6UL, 16, true)]
    [InlineData(0x1013UL, 6UL, 16, true)]
    public void Each_instruction_has_its_row(ulong address, ulong register, long offset, bool savesRbp)
    {
        DwarfFrameRow row = Frames(Common, Function).At(address)!;

        Assert.Equal((register, offset), (row.CfaRegister, row.CfaOffset));
        Assert.Equal(-8, row.Saved[row.ReturnRegister]);
        Assert.Equal(savesRbp, row.Saved.TryGetValue(6, out long rbp) && rbp == -16);
    }

    [Theory]
    [InlineData(0xfffUL)]
    [InlineData(0x1020UL)]
    public void An_instruction_of_no_function_has_none(ulong address) => Assert.Null(Frames(Common, Function).At(address));

    [Fact]
    public void Whatever_a_section_holds_it_is_read_without_an_exception() =>
        Gen.Select(Gen.Select(Gen.Int[0, 80], Gen.Byte).Array[0, 10], Gen.ULong[0xff0, 0x1030]).Sample((changes, address) =>
        {
            (byte[] common, byte[] function) = ((byte[])Common.Clone(), (byte[])Function.Clone());
            foreach ((int at, byte value) in changes)
                (at % 2 == 0 ? common : function)[at / 2 % (at % 2 == 0 ? common.Length : function.Length)] = value;
            _ = Frames(common, function).At(address);
        });

    private static DwarfFrames Frames(byte[] common, byte[] function)
    {
        byte[] section = [.. BitConverter.GetBytes(common.Length), .. common, .. BitConverter.GetBytes(function.Length), .. function];
        return DwarfFrames.Of(section);
    }
}
