using MiniVmm.Machine;

namespace MiniVmm.Tests;

/// <summary>The library's public types are promises to those who build on the package; each is a decision.</summary>
public sealed class PublicTypesTests
{
    [Fact]
    public void The_package_shows_the_types_that_are_listed_and_no_other()
    {
        string list = DocumentationPages.FullPath("tests/MiniVmm.Tests/public-types.txt");
        Assert.Equal(
            File.ReadAllLines(list),
            typeof(VirtualMachine).Assembly.GetExportedTypes().Select(type => type.FullName).Order(StringComparer.Ordinal));
    }
}
