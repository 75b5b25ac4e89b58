using MiniVmm.Memory;
using MiniVmm.Virtio.Balloon;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>Takes pages back that the guest parted with, and tells of others.</summary>
internal sealed class FuzzPages : IPageRelease
{
    private readonly FuzzHost _host;

    private FuzzPages(FuzzHost host)
    {
        _host = host;
        ReleaseUnit = host.Input.Pick(4096ul, 4096ul, 4096ul, 8192ul);
    }

    public ulong ReleaseUnit { get; }

    public static Func<VirtioBalloon> Plug(FuzzHost host)
    {
        BalloonOptions options = new(0, host.Input.Chance(128), !host.Input.Chance(64));
        FuzzPages pages = new(host);
        VirtioBalloon? balloon = null;
        host.Stir = () =>
        {
            if (host.Input.Chance(128))
                balloon!.SetTarget((ulong)host.Input.Below(12) * 4096);
            else
                balloon!.RequestStatistics(TimeSpan.Zero);
        };
        host.MayKeep = queue => queue > 1;
        return () => balloon = new VirtioBalloon(options, host.Ram.Memory, pages, _ => { });
    }

    public bool TryRelease(nint address, ulong length, out int error)
    {
        // The test's RAM stays: nobody else has it.
        error = 0;
        int parted = 0;
        for (ulong at = 0; at < length; at += 4096)
            parted += _host.IsParted(address + (nint)at, 4096) ? 1 : 0;

        // Of a huge page the guest may have parted with all the others before.
        if (parted == 0 || (ReleaseUnit == 4096 && (ulong)parted * 4096 != length))
            _host.Fail($"the device released {length} bytes, some of which the guest has");
        return true;
    }
}
