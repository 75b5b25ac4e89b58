using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MiniVmm.Kvm.Tests;

/// <summary>
/// Every public structure, enum value, constant and request number of the library against the C compiler.
/// What the C program does not mention fails, so nothing can be added without its fact.
/// </summary>
public sealed class AbiTests(AbiOracle oracle) : IClassFixture<AbiOracle>
{
    private const BindingFlags PublicConstants = BindingFlags.Public | BindingFlags.Static;

    private static readonly Type[] Exported = typeof(KvmSystem).Assembly.GetExportedTypes();

    public static TheoryData<string> Structures =>
        [.. Exported.Where(t => t is { IsValueType: true, IsEnum: false, IsNested: false }).Select(t => t.Name)];

    public static TheoryData<string> Enumerations => [.. Exported.Where(t => t.IsEnum).Select(t => t.Name)];

    [Theory]
    [MemberData(nameof(Structures))]
    public void A_structure_is_laid_out_as_in_C(string name)
    {
        Type type = Find(name);
        var differences = new List<string?> { oracle.Compare("sizeof", name, SizeOf(type)) };
        CompareFields(oracle, name, type, "", 0, differences);
        AssertNone(differences);
    }

    [Theory]
    [MemberData(nameof(Enumerations))]
    public void An_enumeration_has_the_values_of_C(string name) => AssertConstants(Find(name));

    [Fact]
    public void Constants_have_the_values_of_C() => AssertConstants(typeof(KvmConstants));

    [Fact]
    public void Request_numbers_are_those_of_C()
    {
        FieldInfo[] numbers = typeof(KvmIoctl).GetFields(PublicConstants);
        Assert.NotEmpty(numbers);
        AssertNone(numbers.Select(f =>
            oracle.Compare(f.Name == nameof(KvmIoctl.KVMIO) ? "const" : "ioctl", f.Name, Number(f.GetValue(null)))));
    }

    [Fact]
    public void A_difference_is_told_by_name()
    {
        var other = new AbiOracle("""
            sizeof kvm_regs 8
            field kvm_regs rax 4 8
            const KVM_EXIT_IO 3
            ioctl KVM_RUN 0xae81
            """);
        Assert.Equal("sizeof kvm_regs: 0x90 in C#, 0x8 in <linux/kvm.h>", other.Compare("sizeof", "kvm_regs", 144));
        Assert.Equal("ioctl KVM_RUN: 0xae80 in C#, 0xae81 in <linux/kvm.h>", other.Compare("ioctl", "KVM_RUN", 0xae80));
        Assert.Null(other.Compare("const", "KVM_EXIT_IO", 3));
        var differences = new List<string?>();
        CompareFields(other, "kvm_regs", typeof(kvm_regs), "", 0, differences);
        Assert.Equal("kvm_regs.rax: at 0, 8 bytes in C#; at 4, 8 bytes in <linux/kvm.h>", differences[0]);
        Assert.Equal("kvm_regs.rbx: native-tests/kvm_abi.c has no field line for it", differences[1]);
    }

    private void AssertConstants(Type type)
    {
        FieldInfo[] constants = type.GetFields(PublicConstants);
        Assert.NotEmpty(constants);
        AssertNone(constants.Select(f => oracle.Compare("const", f.Name, Number(f.GetRawConstantValue()))));
    }

    private static void CompareFields(
        AbiOracle facts, string structure, Type type, string prefix, ulong at, List<string?> differences)
    {
        FieldInfo[] fields = type.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance);
        Assert.NotEmpty(fields);
        foreach (FieldInfo field in fields)
        {
            ulong offset = at + (ulong)Marshal.OffsetOf(type, field.Name);
            string path = prefix + field.Name;
            differences.Add(facts.CompareField(structure, path, offset, SizeOf(field)));

            // A nested type is a C structure without a name: its members are reached only through here.
            if (field.FieldType.IsNested && field.GetCustomAttribute<FixedBufferAttribute>() is null)
                CompareFields(facts, structure, field.FieldType, path + ".", offset, differences);
        }
    }

    private static Type Find(string name) => Exported.Single(t => t.Name == name && !t.IsNested);

    private static ulong SizeOf(FieldInfo field) =>
        field.GetCustomAttribute<FixedBufferAttribute>() is { } array
            ? SizeOf(array.ElementType) * (ulong)array.Length
            : SizeOf(field.FieldType);

    private static ulong SizeOf(Type type) => type.IsPointer
        ? (ulong)IntPtr.Size
        : (ulong)(int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    private static ulong Number(object? value) => Convert.ToUInt64(value, CultureInfo.InvariantCulture);

    private static void AssertNone(IEnumerable<string?> differences)
    {
        string[] found = [.. differences.OfType<string>()];
        Assert.True(found.Length == 0, string.Join('\n', found));
    }
}
