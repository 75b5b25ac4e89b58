using MiniVmm.Control;

namespace MiniVmm.Tests.Control;

/// <summary>A machine that only remembers, and whose guest does at once what its balloon is asked for.</summary>
internal sealed class FakeMachine : IControlledMachine
{
    public const ulong MiB = 1 << 20;

    public MachineInfo Info { get; init; } = new("kernels/vmlinuz", 2, 256 * MiB, DateTimeOffset.UtcNow);

    public BalloonState? Balloon { get; set; } = new(0, 0);

    public int Stops { get; private set; }

    public Exception? Failure { get; init; }

    public MachineStatistics Statistics { get; set; } = new()
    {
        Vcpus =
        [
            new VcpuCounts(12, new Dictionary<string, long> { ["KVM_EXIT_IO"] = 10, ["KVM_EXIT_MMIO"] = 2 }),
            new VcpuCounts(0, new Dictionary<string, long>()),
        ],
        Backing = "anonymous",
        GuestMemory = new Dictionary<string, long> { ["freeMemory"] = 1 << 27, ["majorFaults"] = 3 },
        Devices = [new DeviceCounters("disk0", "blk", new Dictionary<string, long> { ["reads"] = 4 })],
    };

    public MachineStatistics ReadStatistics() => Failure is null ? Statistics : throw Failure;

    public void SetBalloon(ulong bytes) => Balloon = new BalloonState(bytes, bytes);

    public void Stop() => Stops++;
}
