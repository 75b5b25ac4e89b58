using System.Xml;
using System.Xml.Linq;
using CsCheck;
using MiniVmm.Gdb;

namespace MiniVmm.Tests.Gdb;

public sealed class RegisterSetTests
{
    public static TheoryData<bool, bool> Kinds => new() { { true, true }, { true, false }, { false, true }, { false, false } };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void The_description_is_XML_that_has_each_register_once_with_a_type_that_is_known(bool is64, bool hasYmm)
    {
        RegisterSet registers = RegisterSet.Create(is64, hasYmm);
        using MemoryStream bytes = new(TargetDescription.Write(registers));
        using XmlReader reader = XmlReader.Create(bytes, new() { DtdProcessing = DtdProcessing.Ignore });
        XElement target = XDocument.Load(reader).Root!;

        XElement[] found = [.. target.Descendants("reg")];
        Assert.Equal(registers.All.Select(register => register.Name), found.Select(each => (string)each.Attribute("name")!));
        Assert.Equal(found.Length, found.Select(each => (string)each.Attribute("name")!).Distinct().Count());
        Assert.Equal(Enumerable.Range(0, found.Length), found.Select(each => (int)each.Attribute("regnum")!));
        Assert.Equal(registers.Size * 8, found.Sum(each => (int)each.Attribute("bitsize")!));
        string[] known = ["int", "int32", "int64", "uint128", "code_ptr", "data_ptr", "i387_ext"];
        foreach (XElement feature in target.Elements("feature"))
        {
            IEnumerable<string> made = feature.Elements().Where(each => each.Name != "reg").Select(each => (string)each.Attribute("id")!);
            Assert.Empty(feature.Elements("reg").Select(each => (string)each.Attribute("type")!).Except(known).Except(made));
        }
    }

    [Theory]
    [InlineData(true, "rip", 16)]
    [InlineData(false, "eip", 8)]
    public void Numbers_are_those_that_gdb_counts_on(bool is64, string pointer, int number)
    {
        RegisterSet registers = RegisterSet.Create(is64, hasYmm: false);

        Assert.Equal(pointer, registers.All[number].Name);
        Assert.Equal(number, registers.InstructionPointer);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_is_written_to_a_register_is_read_from_it_alone(bool is64, bool hasYmm)
    {
        RegisterSet registers = RegisterSet.Create(is64, hasYmm);
        foreach (GdbRegister register in registers.All.Where(each => each.Part != RegisterPart.Ymm && each.Name != "ftag"))
        {
            VcpuImage image = VcpuImage.Empty; // in real mode
            byte[] value = new byte[register.Bytes];
            value[0] = 0x42;
            bool isTable = register.Name is "tr" or "ldtr";
            Assert.Equal(!isTable, image.TryWrite(register, value));
            foreach (GdbRegister other in registers.All.Where(each => each.Part != RegisterPart.Ymm && each.Name != "ftag"))
            {
                byte[] read = new byte[other.Bytes];
                image.Read(other, read);
                bool isItsBase = register.Bits == 32 && other.Name == $"{register.Name}_base";
                if (other.Name == register.Name && !isTable)
                    Assert.Equal(value, read);
                else if (isItsBase)
                    Assert.Equal(0x420, read[0] + (read[1] << 8));
                else
                    Assert.Equal(0, read.Max());
            }
        }
    }

    [Fact]
    public void A_selector_cannot_be_changed_alone_in_protected_mode()
    {
        VcpuImage image = VcpuImage.Empty;
        image.Special.cr0 = 1;
        image.Special.cs.selector = 8;
        GdbRegister cs = RegisterSet.Create(is64: true, hasYmm: false).All.Single(each => each.Name == "cs");

        Assert.True(image.TryWrite(cs, [8, 0, 0, 0]));
        Assert.False(image.TryWrite(cs, [16, 0, 0, 0]));
    }

    [Fact]
    public void Tags_come_back_as_far_as_a_processor_keeps_them() =>
        Gen.Byte.Sample(valid =>
        {
            GdbRegister tags = RegisterSet.Create(is64: true, hasYmm: false).All.Single(each => each.Name == "ftag");
            VcpuImage image = VcpuImage.Empty;
            byte[] full = new byte[4];
            for (int i = 0; i < 8; i++)
                full[i / 4] |= (byte)(((valid >> i) & 1) == 0 ? 3 << (2 * (i % 4)) : 1 << (2 * (i % 4))); // empty, or zero
            Assert.True(image.TryWrite(tags, full));
            byte[] read = new byte[4];
            image.Read(tags, read);

            Assert.Equal(full, read);
        });
}
