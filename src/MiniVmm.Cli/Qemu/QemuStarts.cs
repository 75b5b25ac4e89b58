using MiniVmm.Devices;
using MiniVmm.Machine;
using MiniVmm.Storage;
using MiniVmm.Terminal;

namespace MiniVmm.Cli.Qemu;

/// <summary>
/// The options of a machine's starts. A reset makes a new machine here; what QEMU's keeps over one is handed on. What guests write to disks of
/// <c>-snapshot</c> is kept in here, for all of the machines, and goes with it.
/// </summary>
internal sealed class QemuStarts : IDisposable
{
    private readonly List<SnapshotOverlay> _overlays = [];
    private readonly TimeProvider _clock;
    private readonly long _began;

    /// <param name="options">As the command line has them.</param>
    /// <param name="clock">Says how long ago the first start was.</param>
    /// <exception cref="HostLimitException">There is no room for a snapshot.</exception>
    public QemuStarts(MachineOptions options, TimeProvider clock)
    {
        (_clock, _began) = (clock, clock.GetTimestamp());
        try
        {
            First = options with { Disks = [.. options.Disks.Select(Kept)] };
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The machine as it is asked for.</summary>
    public MachineOptions First { get; }

    /// <summary>The machine that the guest has reset: nobody is waited for, files go on, and so does the clock.</summary>
    public MachineOptions Later() => First with
    {
        GdbWaits = false, // it has let the machine go once
        BootOrder = First.BootOrder.Again(),
        ConsoleAppends = true,
        ConsoleSocket = Unwaiting(First.ConsoleSocket),
        Com2 = First.Com2 is { } com2 ? com2 with { Appends = true, Socket = Unwaiting(com2.Socket) } : null,
        DebugConsoleAppends = true,
        Rtc = Rtc(),
    };

    public void Dispose() => _overlays.ForEach(overlay => overlay.Dispose());

    private static ConsoleSocket? Unwaiting(ConsoleSocket? socket) => socket is null ? null : socket with { Waits = false };

    private DiskOptions Kept(DiskOptions disk)
    {
        if (!disk.Snapshot || disk.ReadOnly)
            return disk;
        SnapshotOverlay overlay = new(disk.Subject);
        _overlays.Add(overlay);
        return disk with { Overlay = overlay };
    }

    private RtcBase Rtc()
    {
        if (First.Rtc.Start is not { } start)
            return First.Rtc;
        DateTime now = start + _clock.GetElapsedTime(_began);
        return now.Year <= RtcBase.LastYear ? RtcBase.At(now) : First.Rtc;
    }
}
