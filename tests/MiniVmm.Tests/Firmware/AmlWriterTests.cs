using CsCheck;
using MiniVmm.Firmware;

namespace MiniVmm.Tests.Firmware;

public sealed class AmlWriterTests
{
    /// <summary>The rule of ACPI 6.5, 20.2.4, read backwards.</summary>
    private static int Decode(ReadOnlySpan<byte> encoded)
    {
        int more = encoded[0] >> 6;
        Assert.Equal(more + 1, encoded.Length);
        if (more == 0)
            return encoded[0];
        int length = encoded[0] & 0xf;
        Assert.Equal(0, encoded[0] & 0x30);
        for (int i = 1; i <= more; i++)
            length |= encoded[i] << (8 * i - 4);
        return length;
    }

    [Fact]
    public void A_package_length_counts_itself_and_its_body_in_as_few_bytes_as_do() =>
        Gen.OneOf(Gen.Int[0, 70], Gen.Int[4080, 4100], Gen.Int[(1 << 20) - 9, (1 << 20) + 9], Gen.Int[0, (1 << 28) - 5])
            .Sample(
                body =>
                {
                    byte[] encoded = AmlWriter.PackageLength(body);
                    Assert.Equal(body + encoded.Length, Decode(encoded));
                    int[] limits = [0, 1 << 6, 1 << 12, 1 << 20];
                    // One byte less could not have held it.
                    Assert.True(encoded.Length == 1 || body + encoded.Length - 1 >= limits[encoded.Length - 1]);
                },
                iter: 2000);

    [Theory]
    [InlineData(62, 1)]
    [InlineData(63, 2)]
    [InlineData(4093, 2)]
    [InlineData(4094, 3)]
    [InlineData(1048572, 3)]
    [InlineData(1048573, 4)]
    [InlineData(268435451, 4)]
    public void A_package_length_grows_where_the_specification_says(int body, int bytes) =>
        Assert.Equal(bytes, AmlWriter.PackageLength(body).Length);

    [Fact]
    public void A_body_too_long_for_a_package_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => AmlWriter.PackageLength(268435452));

    [Theory]
    [InlineData(0ul, "00")]
    [InlineData(1ul, "01")]
    [InlineData(2ul, "0A02")]
    [InlineData(0xfful, "0AFF")]
    [InlineData(0x100ul, "0B0001")]
    [InlineData(0xfffful, "0BFFFF")]
    [InlineData(0x10000ul, "0C00000100")]
    [InlineData(0xfffffffful, "0CFFFFFFFF")]
    [InlineData(0x100000000ul, "0E0000000001000000")]
    public void An_integer_takes_its_shortest_form(ulong value, string hex) =>
        Assert.Equal(hex, Convert.ToHexString(new AmlWriter().Integer(value).ToArray()));

    [Theory]
    [InlineData("PNP0501", "0C41D00501")]
    [InlineData("PNP0B00", "0C41D00B00")]
    [InlineData("ACPI0007", "0D414350493030303700")]
    [InlineData("LNRO0005", "0D4C4E524F3030303500")]
    [InlineData("PNPX501", "0D504E505835303100")]
    public void A_hardware_id_is_compressed_only_if_it_is_an_EISA_id(string id, string hex) =>
        Assert.Equal(hex, Convert.ToHexString(new AmlWriter().HardwareId(id).ToArray()));

    [Theory]
    [InlineData("_S5", "085F53355F")]
    [InlineData(@"\_SB", "085C5F53425F")]
    [InlineData("^^AB", "085E5E41425F5F")]
    [InlineData("AAAA.BBBB", "082E4141414142424242")]
    [InlineData(@"\A.B.C", "085C2F03415F5F5F425F5F5F435F5F5F")]
    [InlineData(@"\", "085C00")]
    public void A_path_is_segments_of_four(string path, string hex) =>
        Assert.Equal(hex, Convert.ToHexString(new AmlWriter().Name(path).ToArray()));

    [Theory]
    [InlineData("")]
    [InlineData("TOOLONG")]
    [InlineData("1ABC")]
    [InlineData("abcd")]
    [InlineData("A..B")]
    [InlineData("A B")]
    public void What_is_no_ACPI_name_is_refused(string path) =>
        Assert.Throws<ArgumentException>(() => new AmlWriter().Name(path));

    [Theory]
    [InlineData("a\0b")]
    [InlineData("é")]
    public void A_string_that_is_not_ASCII_is_refused(string text) =>
        Assert.Throws<ArgumentException>(() => new AmlWriter().String(text));

    [Fact]
    public void Iasl_reads_every_construct_as_it_was_meant()
    {
        AmlWriter aml = new();
        aml.Name("WORD").Integer(0x1234);
        aml.Name("TEXT").String("text");
        aml.Name("BUFF").Buffer(new byte[300]);
        aml.Name("PACK").Package(0, 1, 2, 0x1_0000_0000);
        aml.Scope(@"\_SB", scope => scope.Device("DEV0", device =>
        {
            device.Name("_HID").HardwareId("LNRO0005");
            device.Name("_UID").Integer(7);
            device.Method("_STA", 0, method => method.Return().Integer(0xf));
            device.Name("_CRS").Buffer(new ResourceTemplate()
                .Io(0x3f8, 8).Irq(4).Memory32(0xd000_0000, 0x1000)
                .Interrupt(5, TriggerMode.Edge).Interrupt(23, TriggerMode.Level).ToArray());
        }));

        aml.PortRegion("PORT", 0x620, 16);
        aml.Fields("PORT", "REG0", "REG1");
        aml.Method(
            "CALL",
            2,
            method => method
                .Store().Argument(0).Reference("REG0")
                .If(test => test.Equal().Reference("REG1").Argument(1), then => then.Notify().Reference(@"\_SB.DEV0").Integer(3))
                .Return().Reference("REG1"),
            serialized: true);
        aml.Method("LOOP", 0, method => method
            .Store().Reference("CALL").Integer(1).Integer(2).Local(7)
            .While(test => test.Local(7), loop => loop
                .Store().And().Local(7).Integer(0xf).NoTarget().Reference("REG0")
                .ShiftRight().Local(7).Integer(4).Local(7)));

        string asl = Iasl.Check("dsdt", AcpiTable.Build("DSDT", 2, aml.ToArray()));
        AssertInOrder(
            asl,
            "Name (WORD, 0x1234)", "Name (TEXT, \"text\")", "Buffer (0x012C)",
            "Name (PACK, Package (0x04)", "0x0000000100000000",
            "Scope (\\_SB)", "Device (DEV0)", "Name (_HID, \"LNRO0005\")", "Name (_UID, 0x07)",
            "Method (_STA, 0, NotSerialized)", "Return (0x0F)",
            "IO (Decode16,", "0x03F8,", "0x03F8,", "0x08,", "IRQNoFlags ()", "{4}",
            "Memory32Fixed (ReadWrite,", "0xD0000000,", "0x00001000,",
            "Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive", "0x00000005",
            "Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive", "0x00000017",
            "OperationRegion (PORT, SystemIO, 0x0620, 0x10)", "Field (PORT, DWordAcc, NoLock, Preserve)",
            "REG0,", "32,", "REG1,", "32",
            "Method (CALL, 2, Serialized)", "REG0 = Arg0", "If ((REG1 == Arg1))", "Notify (\\_SB.DEV0, 0x03)", "Return (REG1)",
            "Method (LOOP, 0, NotSerialized)", "Local7 = CALL (One, 0x02)", "While (Local7)", "REG0 = (Local7 & 0x0F)",
            "Local7 >>= 0x04");
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(8)]
    public void A_variable_or_argument_that_no_method_has_is_refused(int number)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new AmlWriter().Local(number));
        Assert.Throws<ArgumentOutOfRangeException>(() => new AmlWriter().Argument(number));
    }

    internal static void AssertInOrder(string text, params IEnumerable<string> parts)
    {
        int from = 0;
        foreach (string part in parts)
        {
            int at = text.IndexOf(part, from, StringComparison.Ordinal);
            Assert.True(at >= 0, $"'{part}' is not in, or not in its place in:\n{text}");
            from = at + part.Length;
        }
    }
}
