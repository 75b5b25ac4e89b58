namespace MiniVmm.Control;

/// <summary>
/// What a control socket can ask of a machine. All of it is called on the socket's thread, while the guest runs.
/// </summary>
public interface IControlledMachine
{
    MachineInfo Info { get; }

    /// <summary>Whether the guest's time stands still.</summary>
    bool IsPaused { get; }

    /// <summary>The balloon as it is now; null for a machine without one.</summary>
    BalloonState? Balloon { get; }

    /// <summary>Looks at all that counts; may wait a second for the guest's own figures, and no longer.</summary>
    MachineStatistics ReadStatistics();

    /// <summary>Asks the guest to give up so much, or to take back what is over it; returns at once.</summary>
    /// <param name="bytes">At most <see cref="MachineInfo.MemoryBytes"/>; rounded down to whole pages.</param>
    /// <remarks>Only called where <see cref="Balloon"/> is not null.</remarks>
    void SetBalloon(ulong bytes);

    /// <summary>Stops the guest's time; when it returns no vCPU is in the guest. Without effect on a paused machine.</summary>
    void Pause();

    /// <summary>Lets the guest go on; without effect on one that is not paused.</summary>
    void Resume();

    /// <summary>Presses the ACPI power button; returns at once, whatever the guest makes of it.</summary>
    /// <returns>Whether the guest listens to it.</returns>
    bool PressPowerButton();

    /// <summary>Ends the machine, as SIGTERM does; returns at once.</summary>
    void Stop();
}

/// <summary>What does not change while a machine runs.</summary>
/// <param name="Kernel">The kernel's file, as the user named it.</param>
/// <param name="Vcpus">How many run.</param>
/// <param name="MemoryBytes">Guest RAM, with what the balloon has of it.</param>
/// <param name="StartedAt">When the guest was started.</param>
public sealed record MachineInfo(string Kernel, int Vcpus, ulong MemoryBytes, DateTimeOffset StartedAt);

/// <summary>A balloon (virtio 1.2, section 5.5): guest RAM that the guest may not use, and the host has back.</summary>
/// <param name="TargetBytes">What the host wants it to hold.</param>
/// <param name="ActualBytes">What the guest has put into it so far.</param>
public sealed record BalloonState(ulong TargetBytes, ulong ActualBytes);

/// <summary>What a machine's parts have counted since its start.</summary>
public sealed record MachineStatistics
{
    /// <summary>The vCPUs, by index.</summary>
    public required IReadOnlyList<VcpuCounts> Vcpus { get; init; }

    /// <summary>What guest RAM is made of, for people; <c>RamBacking.Description</c>.</summary>
    public required string Backing { get; init; }

    /// <summary>
    /// The guest's view of its memory by the balloon's statistics queue (virtio 1.2, section 5.5.6.3): names in camel
    /// case, sizes in bytes (<c>freeMemory</c>, <c>swapIn</c>), the rest counts (<c>majorFaults</c>). Null without a
    /// balloon, or where the guest has not answered.
    /// </summary>
    public IReadOnlyDictionary<string, long>? GuestMemory { get; init; }

    /// <summary>Disks, networks and whatever else counts.</summary>
    public IReadOnlyList<DeviceCounters> Devices { get; init; } = [];
}

/// <summary>The exits of one vCPU.</summary>
/// <param name="Exits">All of them.</param>
/// <param name="ByReason">KVM's name of each reason that occurred, and how often.</param>
public sealed record VcpuCounts(long Exits, IReadOnlyDictionary<string, long> ByReason);

/// <summary>The counters of one device.</summary>
/// <param name="Name">Which of its kind, as <c>disk0</c>.</param>
/// <param name="Kind">As <c>blk</c> or <c>net</c>.</param>
/// <param name="Counters">Names in camel case, as <c>reads</c> or <c>readBytes</c>.</param>
public sealed record DeviceCounters(string Name, string Kind, IReadOnlyDictionary<string, long> Counters);
