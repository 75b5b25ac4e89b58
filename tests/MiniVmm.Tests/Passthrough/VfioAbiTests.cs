using MiniVmm.Passthrough.Abi;

namespace MiniVmm.Tests.Passthrough;

/// <summary>VFIO's structures and numbers in C# against the C compiler. Needs gcc and linux-libc-dev.</summary>
public sealed class VfioAbiTests
{
    [Fact]
    public void Structures_and_numbers_are_those_of_C()
    {
        AbiOracle oracle = new("vfio_abi.c", "<linux/vfio.h>");
        Type[] structures =
            [.. typeof(vfio_device_info).Assembly.GetTypes().Where(type => type.Namespace == "MiniVmm.Passthrough.Abi" && type.IsValueType)];

        Assert.Equal(16, structures.Length);
        Assert.Empty(structures.SelectMany(oracle.CompareStructure));
        Assert.Empty(oracle.CompareConstants(typeof(VfioConstants)));
    }
}
