using System.Reflection;
using MiniVmm.Tests;

namespace MiniVmm.Kvm.Tests;

/// <summary>What native-tests/kvm_abi.c prints.</summary>
public sealed class KvmAbi
{
    public AbiOracle Oracle { get; } = new("kvm_abi.c", "<linux/kvm.h>");
}

/// <summary>
/// Every public structure, enum value, constant and request number of the library against the C compiler.
/// What the C program does not mention fails, so nothing can be added without its fact.
/// </summary>
public sealed class AbiTests(KvmAbi kvm) : IClassFixture<KvmAbi>
{
    private const BindingFlags PublicConstants = BindingFlags.Public | BindingFlags.Static;

    private readonly AbiOracle _oracle = kvm.Oracle;

    private static readonly Type[] Exported = typeof(KvmSystem).Assembly.GetExportedTypes();

    public static TheoryData<string> Structures =>
        [.. Exported.Where(t => t is { IsValueType: true, IsEnum: false, IsNested: false }).Select(t => t.Name)];

    public static TheoryData<string> Enumerations => [.. Exported.Where(t => t.IsEnum).Select(t => t.Name)];

    [Theory]
    [MemberData(nameof(Structures))]
    public void A_structure_is_laid_out_as_in_C(string name)
    {
        AssertNone(_oracle.CompareStructure(Find(name)));
    }

    [Theory]
    [MemberData(nameof(Enumerations))]
    public void An_enumeration_has_the_values_of_C(string name) => AssertNone(_oracle.CompareConstants(Find(name)));

    [Fact]
    public void Constants_have_the_values_of_C() => AssertNone(_oracle.CompareConstants(typeof(KvmConstants)));

    [Fact]
    public void Request_numbers_are_those_of_C()
    {
        FieldInfo[] numbers = typeof(KvmIoctl).GetFields(PublicConstants);
        Assert.NotEmpty(numbers);
        AssertNone(numbers.Select(f =>
            _oracle.Compare(f.Name == nameof(KvmIoctl.KVMIO) ? "const" : "ioctl", f.Name, AbiOracle.Number(f.GetValue(null)))));
    }

    [Fact]
    public void Names_of_requests_belong_to_the_numbers_of_C()
    {
        Assert.True(KvmRequestNames.All.Count > 90);
        AssertNone(KvmRequestNames.All.Select(request => _oracle.Compare("ioctl", request.Name, request.Request)));
    }

    [Fact]
    public void Each_request_of_the_library_has_its_name()
    {
        IEnumerable<FieldInfo> numbers = typeof(KvmIoctl).GetFields(PublicConstants).Where(field => field.Name != nameof(KvmIoctl.KVMIO));

        Assert.All(numbers, field => Assert.Equal(field.Name, KvmRequestNames.Of((uint)field.GetValue(null)!)));
        Assert.Equal("0xae7f", KvmRequestNames.Of(0xae7f));
    }

    [Fact]
    public void A_difference_is_told_by_name()
    {
        var other = new AbiOracle("kvm_abi.c", "<linux/kvm.h>", """
            sizeof kvm_regs 8
            field kvm_regs rax 4 8
            const KVM_EXIT_IO 3
            ioctl KVM_RUN 0xae81
            """);
        Assert.Equal("sizeof kvm_regs: 0x90 in C#, 0x8 in <linux/kvm.h>", other.Compare("sizeof", "kvm_regs", 144));
        Assert.Equal("ioctl KVM_RUN: 0xae80 in C#, 0xae81 in <linux/kvm.h>", other.Compare("ioctl", "KVM_RUN", 0xae80));
        Assert.Null(other.Compare("const", "KVM_EXIT_IO", 3));
        string[] differences = [.. other.CompareStructure(typeof(kvm_regs))];
        Assert.Equal("kvm_regs.rax: at 0, 8 bytes in C#; at 4, 8 bytes in <linux/kvm.h>", differences[1]);
        Assert.Equal("kvm_regs.rbx: native-tests/kvm_abi.c has no field line for it", differences[2]);
    }

    private static Type Find(string name) => Exported.Single(t => t.Name == name && !t.IsNested);

    private static void AssertNone(IEnumerable<string?> differences)
    {
        string[] found = [.. differences.OfType<string>()];
        Assert.True(found.Length == 0, string.Join('\n', found));
    }
}
