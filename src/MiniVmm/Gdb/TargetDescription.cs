using System.Globalization;
using System.Text;
using MiniVmm.Inspection;

namespace MiniVmm.Gdb;

/// <summary>
/// The registers in XML, as gdb asks for them (GDB manual, "Target Descriptions"): with the names of the bits of control
/// registers, so that <c>info registers</c> spells them out.
/// </summary>
internal static class TargetDescription
{
    // SDM vol. 1, 10.2.3.
    private static ReadOnlySpan<(int Bit, string Name)> MxcsrNames => new (int, string)[]
    {
        (0, "IE"), (1, "DE"), (2, "ZE"), (3, "OE"), (4, "UE"), (5, "PE"), (6, "DAZ"), (7, "IM"), (8, "DM"), (9, "ZM"), (10, "OM"),
        (11, "UM"), (12, "PM"), (15, "FZ"),
    };

    /// <summary>The whole description: gdb's <c>target.xml</c>.</summary>
    public static byte[] Write(RegisterSet registers)
    {
        StringBuilder xml = new("<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n");
        xml.Append(CultureInfo.InvariantCulture, $"<architecture>{(registers.Is64 ? "i386:x86-64" : "i386")}</architecture>\n");
        int number = 0;
        foreach (RegisterFeature feature in registers.Features)
        {
            xml.Append(CultureInfo.InvariantCulture, $"<feature name=\"{feature.Name}\">\n");
            foreach (string type in feature.Registers.Select(register => register.Type).Distinct())
                AppendType(xml, type);
            foreach (GdbRegister register in feature.Registers)
            {
                string group = register.Group is { } name ? $" group=\"{name}\"" : "";
                xml.Append(
                    CultureInfo.InvariantCulture,
                    $"<reg name=\"{register.Name}\" bitsize=\"{register.Bits}\" type=\"{register.Type}\" regnum=\"{number++}\"{group}/>\n");
            }

            xml.Append("</feature>\n");
        }

        return Encoding.ASCII.GetBytes(xml.Append("</target>\n").ToString());
    }

    private static void AppendType(StringBuilder xml, string type)
    {
        switch (type)
        {
            case "i386_eflags":
                AppendFlags(xml, type, 4, ControlBits.RflagsNames);
                break;
            case "i386_mxcsr":
                AppendFlags(xml, type, 4, MxcsrNames);
                break;
            case "x64_cr0":
                AppendFlags(xml, type, 8, ControlBits.Cr0Names);
                break;
            case "x64_cr4":
                AppendFlags(xml, type, 8, ControlBits.Cr4Names);
                break;
            case "x64_efer":
                AppendFlags(xml, type, 8, ControlBits.EferNames);
                break;
            case "vec128":
                AppendVector(xml);
                break;
        }
    }

    private static void AppendFlags(StringBuilder xml, string type, int size, ReadOnlySpan<(int Bit, string Name)> bits)
    {
        xml.Append(CultureInfo.InvariantCulture, $"<flags id=\"{type}\" size=\"{size}\">\n");
        foreach ((int bit, string name) in bits)
            xml.Append(CultureInfo.InvariantCulture, $"<field name=\"{name}\" start=\"{bit}\" end=\"{bit}\"/>\n");
        xml.Append("</flags>\n");
    }

    private static void AppendVector(StringBuilder xml)
    {
        (string Id, string Type, int Count, string Field)[] views =
        [
            ("v4f", "ieee_single", 4, "v4_float"), ("v2d", "ieee_double", 2, "v2_double"), ("v16i8", "int8", 16, "v16_int8"),
            ("v8i16", "int16", 8, "v8_int16"), ("v4i32", "int32", 4, "v4_int32"), ("v2i64", "int64", 2, "v2_int64"),
        ];
        foreach ((string id, string type, int count, _) in views)
            xml.Append(CultureInfo.InvariantCulture, $"<vector id=\"{id}\" type=\"{type}\" count=\"{count}\"/>\n");
        xml.Append("<union id=\"vec128\">\n");
        foreach ((string id, _, _, string field) in views)
            xml.Append(CultureInfo.InvariantCulture, $"<field name=\"{field}\" type=\"{id}\"/>\n");
        xml.Append("<field name=\"uint128\" type=\"uint128\"/>\n</union>\n");
    }
}
