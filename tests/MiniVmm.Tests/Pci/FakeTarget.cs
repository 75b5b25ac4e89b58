using MiniVmm.Pci;

namespace MiniVmm.Tests.Pci;

/// <summary>What is behind a BAR: says where it was put.</summary>
internal sealed class FakeTarget : IPciBarTarget
{
    public List<string> Calls { get; } = [];

    public ulong? At { get; private set; }

    public void Map(ulong address)
    {
        Assert.Null(At);
        At = address;
        Calls.Add($"map 0x{address:x}");
    }

    public void Unmap(ulong address)
    {
        Assert.Equal(At, address);
        At = null;
        Calls.Add($"unmap 0x{address:x}");
    }
}
