using MiniVmm.Memory;

namespace MiniVmm.Tests.Virtio.Balloon;

/// <summary>Keeps what was given back to the host.</summary>
internal sealed class RecordingRelease(ulong unit = 4096) : IPageRelease
{
    public ulong ReleaseUnit => unit;

    /// <summary>What it answers: 0, or an errno.</summary>
    public int Error { get; set; }

    public List<(nint Address, ulong Length)> Ranges { get; } = [];

    public bool TryRelease(nint address, ulong length, out int error)
    {
        Assert.Equal(0ul, length % unit);
        Ranges.Add((address, length));
        error = Error;
        return error == 0;
    }
}
