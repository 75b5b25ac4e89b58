using System.Text;
using CsCheck;
using MiniVmm.Symbols;

namespace MiniVmm.Tests.Symbols;

public sealed class DwarfLinesTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void An_address_has_the_line_of_the_row_before_it(int version)
    {
        DwarfLineUnit unit = new(Unit(version), false, Encoding.ASCII.GetBytes("src\0main.c\0"), default);
        Assert.True(unit.IsGood);
        List<DwarfRow> rows = [];
        unit.Run((in DwarfRow row) =>
        {
            rows.Add(row);
            return true;
        });

        Assert.Equal(
            [(0x1000UL, 10u, false), (0x1004UL, 12u, false), (0x1014UL, 12u, true)],
            rows.Select(row => (row.Address, row.Line, row.EndsSequence)));
        Assert.Equal("src/main.c", unit.FileName(1));
        Assert.Null(unit.FileName(77));
    }

    [Fact]
    public void Whatever_a_unit_holds_it_is_read_to_its_end() =>
        Gen.Select(Gen.Int[2, 5], Gen.Select(Gen.Int[0, 200], Gen.Byte).Array[0, 12], Gen.Int[0, 200]).Sample(
            (version, changes, length) =>
            {
                byte[] bytes = Unit(version);
                foreach ((int at, byte value) in changes)
                    bytes[at % bytes.Length] = value;
                DwarfLineUnit unit = new(bytes.AsMemory(0, Math.Min(bytes.Length, Math.Max(length, bytes.Length / 2))), false, default, default);
                int rows = 0;
                unit.Run((in DwarfRow _) => ++rows < 10_000);
                _ = unit.FileName(1);
            });

    [Fact]
    public void Whatever_sections_a_file_claims_it_is_read_without_an_exception() =>
        Gen.Byte.Array[0, 400].Sample(bytes =>
        {
            byte[] file = [0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, .. bytes];
            ElfSections sections = ElfSections.Of(file);
            _ = sections.Contents(".debug_line");
            _ = DwarfLines.Find(sections)?.Describe(0x1000);
            _ = KernelSymbols.Find(file)?.Describe(0x1000, 0x1000);
        });

    /// <summary>Two rows: line 10 at 0x1000, line 12 at 0x1004, to 0x1014; by a special opcode, and the standard ones.</summary>
    private static byte[] Unit(int version)
    {
        List<byte> header = [1];
        if (version >= 4)
            header.Add(1);
        header.AddRange([1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]);
        if (version == 5)
        {
            header.AddRange([1, 1, 0x08, 2]); // directories: a path, as a string
            header.AddRange("/build\0src\0"u8);
            header.AddRange([2, 1, 0x1f, 2, 0x0b, 2]); // files: a path in .debug_line_str, a directory of one byte
            header.AddRange([4, 0, 0, 0, 1, 4, 0, 0, 0, 1]);
        }
        else
        {
            header.AddRange("src\0\0main.c\0"u8);
            header.AddRange([1, 0, 0, 0]);
        }

        List<byte> program = [0, 9, 2, 0, 0x10, 0, 0, 0, 0, 0, 0]; // set address
        program.AddRange([3, 9, 1]); // advance line by 9, copy
        program.Add(13 + (2 + 5) + 14 * 4); // special: 4 bytes, 2 lines on
        program.AddRange([2, 16, 0, 1, 1]); // advance by 16, end of sequence
        List<byte> unit = [(byte)version, 0];
        if (version == 5)
            unit.AddRange([8, 0]);
        unit.AddRange(BitConverter.GetBytes(header.Count));
        return [.. unit, .. header, .. program];
    }
}
