using MiniVmm.Memory;

namespace MiniVmm.Tests.Memory;

public sealed class HugePageCgroupTests : IDisposable
{
    private const ulong MiB = MemoryLayout.MiB;
    private readonly string _mount = Directory.CreateTempSubdirectory("minivmm-cgroup-").FullName;

    public void Dispose() => Directory.Delete(_mount, recursive: true);

    [Theory]
    [InlineData("0::/a/b", "a/b/hugetlb.2MB.max", "a/b/hugetlb.2MB.current")]
    [InlineData("0::/a/b", "a/b/hugetlb.2MB.rsvd.max", "a/b/hugetlb.2MB.rsvd.current")]
    [InlineData("0::/a/b", "a/hugetlb.2MB.max", "a/hugetlb.2MB.current")]
    [InlineData("3:cpu:/x\n7:hugetlb,misc:/c\n0::/", "hugetlb/c/hugetlb.2MB.limit_in_bytes", "hugetlb/c/hugetlb.2MB.usage_in_bytes")]
    public void The_limit_that_leaves_too_little_is_named(string cgroups, string limit, string used)
    {
        Write(limit, 64 * MiB);
        Write(used, 16 * MiB);

        HugePageCgroup? found = HugePageCgroup.Find(cgroups, _mount, 2 * MiB, 50 * MiB);

        Assert.Equal(new(Path.Combine(_mount, limit), 64 * MiB, 16 * MiB), found);
        Assert.Null(HugePageCgroup.Find(cgroups, _mount, 2 * MiB, 48 * MiB));
        Assert.Null(HugePageCgroup.Find(cgroups, _mount, 1024 * MiB, 1024 * MiB));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0::/a")]
    [InlineData("nonsense\n::\n0::a")]
    public void Without_a_limit_there_is_none(string cgroups)
    {
        Directory.CreateDirectory(Path.Combine(_mount, "a"));
        File.WriteAllText(Path.Combine(_mount, "a/hugetlb.2MB.max"), "max\n");

        Assert.Null(HugePageCgroup.Find(cgroups, _mount, 2 * MiB, 2 * MiB));
    }

    private void Write(string name, ulong value)
    {
        string path = Path.Combine(_mount, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, $"{value}\n");
    }
}
