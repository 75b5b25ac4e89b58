namespace MiniVmm.Control;

/// <summary>
/// What a control socket can ask of a machine. Called on the socket's thread, while the guest runs.
/// </summary>
internal interface IControlledMachine
{
    MachineInfo Info { get; }

    /// <summary>What it does now.</summary>
    MachineState State { get; }

    /// <summary>Who can start it again; null where its process ends with it.</summary>
    IMachineHost? Host { get; }

    /// <summary>Guest RAM as it is now, including what the balloon holds.</summary>
    ulong MemoryBytes { get; }

    /// <summary>Guest RAM and what it may be; null for a machine that has all of it at the start.</summary>
    MemoryState? Memory { get; }

    /// <summary>The balloon as it is now; null for a machine without one.</summary>
    BalloonState? Balloon { get; }

    /// <summary>Reads all counters; may wait up to a second for the guest's own figures.</summary>
    MachineStatistics ReadStatistics();

    /// <summary>Asks the guest to give up this much memory in all, or to take back what exceeds it; returns at once.</summary>
    /// <param name="bytes">At most <see cref="MachineInfo.MemoryBytes"/>; rounded down to whole pages of 4 KiB.</param>
    /// <remarks>Only called if <see cref="Balloon"/> is not null.</remarks>
    void SetBalloon(ulong bytes);

    /// <summary>Asks the guest to have this much RAM in all; returns at once.</summary>
    /// <param name="bytes">As <see cref="MemoryState.Check"/> has it; rounded down to whole blocks.</param>
    /// <remarks>Only called if <see cref="Memory"/> is not null.</remarks>
    void SetMemory(ulong bytes);

    /// <summary>How many vCPUs it has, and is to have.</summary>
    CpusState Cpus { get; }

    /// <summary>Puts vCPUs in, and asks the guest to give others up; does not wait for the guest.</summary>
    /// <returns>How far that is.</returns>
    /// <exception cref="VmmException">The machine cannot have so many, or the host has none to give.</exception>
    CpusState SetCpus(int count);

    /// <summary>Pauses the machine; when it returns, no vCPU is in the guest. Does nothing if it is already paused.</summary>
    void Pause();

    /// <summary>Resumes a paused machine; does nothing if it is not paused.</summary>
    void Resume();

    /// <summary>Presses the ACPI power button; returns at once, whatever the guest does about it.</summary>
    /// <returns>Whether the guest listens to the button.</returns>
    bool PressPowerButton();

    /// <summary>What the guest's screen shows, as a PNG file.</summary>
    byte[] Screenshot();

    /// <summary>Scan codes that the guest has not read from its keyboard, in bytes.</summary>
    int WaitingKeys { get; }

    /// <summary>Types a text on the guest's keyboard; returns at once.</summary>
    /// <exception cref="VmmException">A letter has no key, or the guest does not read.</exception>
    void Type(string text);

    /// <summary>Presses keys by their names; returns at once.</summary>
    /// <exception cref="VmmException">There is no such key, or the guest does not read.</exception>
    void PressKeys(string keys);

    /// <summary>The trace that is being made, or the last one.</summary>
    TraceState Trace { get; }

    /// <summary>Begins a trace.</summary>
    /// <param name="what">What is traced.</param>
    /// <param name="file">Where to; null for the machine's standard error.</param>
    /// <exception cref="VmmException">It cannot be traced, or not there, or is traced already.</exception>
    void StartTrace(string what, string? file);

    /// <summary>Ends the trace; without effect where there is none.</summary>
    void StopTrace();

    /// <summary>Ends the machine, as SIGTERM does; returns at once.</summary>
    void Stop();
}

/// <summary>A trace of a machine.</summary>
/// <param name="IsOn">Whether it is being made.</param>
/// <param name="What">What is, or was, traced; empty where nothing ever was.</param>
/// <param name="Events">Events that it has.</param>
/// <param name="Lost">Events that did not fit.</param>
/// <param name="Failure">Why it ended early; empty where it did not.</param>
internal sealed record TraceState(bool IsOn, string What, long Events, long Lost, string Failure);

/// <summary>What starts a machine again, as <c>minivmm serve</c> does.</summary>
internal interface IMachineHost
{
    /// <summary>How often it was started again.</summary>
    long Restarts { get; }

    /// <summary>Starts the machine, at once where it waits for a restart; without effect on one that runs.</summary>
    /// <exception cref="VmmException">It cannot be started.</exception>
    void Start();

    /// <summary>Has the machine shut down and started again; returns as soon as that has begun.</summary>
    /// <exception cref="VmmException">It cannot be.</exception>
    void Restart();
}

/// <summary>What a machine is: but for the vCPUs, that does not change while it runs.</summary>
/// <param name="Kernel">The kernel's file, as the user named it.</param>
/// <param name="Vcpus">How many vCPUs are in it now.</param>
/// <param name="MostVcpus">How many there can be.</param>
/// <param name="MemoryBytes">Guest RAM at the start, including what the balloon holds.</param>
/// <param name="StartedAt">When the guest was started; null while the machine does not run.</param>
internal sealed record MachineInfo(string Kernel, int Vcpus, int MostVcpus, ulong MemoryBytes, DateTimeOffset? StartedAt);

/// <summary>A balloon (virtio 1.2, section 5.5): guest RAM that the guest does not use and the host has back.</summary>
/// <param name="TargetBytes">How much the host wants it to hold.</param>
/// <param name="ActualBytes">How much the guest has put into it so far.</param>
public sealed record BalloonState(ulong TargetBytes, ulong ActualBytes);

/// <summary>Guest RAM that comes and goes (virtio 1.2, section 5.15), with what the guest started with.</summary>
/// <param name="StartBytes">What it started with, and always has.</param>
/// <param name="MaxBytes">The most it can have.</param>
/// <param name="TargetBytes">How much it is to have.</param>
/// <param name="ActualBytes">How much it has now.</param>
public sealed record MemoryState(ulong StartBytes, ulong MaxBytes, ulong TargetBytes, ulong ActualBytes)
{
    /// <summary>Refuses what the guest cannot have.</summary>
    /// <exception cref="BadInputException">Less than it started with, or more than the most.</exception>
    internal void Check(ulong bytes)
    {
        if (bytes < StartBytes)
        {
            throw new BadInputException($"{ByteSize.Format(bytes)} is less than the guest started with, "
                + $"{ByteSize.Format(StartBytes)}: that stays; a balloon can take of it");
        }

        if (bytes > MaxBytes)
        {
            throw new BadInputException($"{ByteSize.Format(bytes)} is more than the guest can get, {ByteSize.Format(MaxBytes)}; "
                + "start it with a larger max");
        }
    }
}

/// <summary>What a machine's parts have counted since its start.</summary>
internal sealed record MachineStatistics
{
    /// <summary>The vCPUs, by index.</summary>
    public required IReadOnlyList<VcpuCounts> Vcpus { get; init; }

    /// <summary>What backs guest RAM, for people; <c>RamBacking.Description</c>.</summary>
    public required string Backing { get; init; }

    /// <summary>
    /// The guest's own view of its memory, from the balloon's statistics queue (virtio 1.2, section 5.5.6.3). Names are in
    /// camel case; sizes are in bytes (<c>freeMemory</c>, <c>swapIn</c>), the rest are counts (<c>majorFaults</c>). Null
    /// without a balloon, or if the guest has not answered.
    /// </summary>
    public IReadOnlyDictionary<string, long>? GuestMemory { get; init; }

    /// <summary>The disks, network cards and other devices that have counters.</summary>
    public IReadOnlyList<DeviceCounters> Devices { get; init; } = [];

    /// <summary>What the kernel counts of the VM, under its names, without what is 0; null before Linux 5.14.</summary>
    public IReadOnlyDictionary<string, long>? Kvm { get; init; }
}

/// <summary>The exits of one vCPU.</summary>
/// <param name="IsPresent">Whether it is in the machine; else it has been taken out.</param>
/// <param name="Exits">The total.</param>
/// <param name="ByReason">KVM's name for each reason that occurred, and how often it did.</param>
/// <param name="Assisted">Each instruction that was completed for KVM, and how often; null if there was none.</param>
/// <param name="Kvm">What the kernel counts of it; null before Linux 5.14, and while a device holds it up.</param>
internal sealed record VcpuCounts(
    bool IsPresent, long Exits, IReadOnlyDictionary<string, long> ByReason, IReadOnlyDictionary<string, long>? Assisted = null,
    KvmFigures? Kvm = null);

/// <summary>What the kernel counts of a vCPU, under its names; without what is 0.</summary>
/// <param name="Counts">Events since the start, as <c>exits</c>.</param>
/// <param name="Nanoseconds">Times since the start, as <c>halt_wait_ns</c>.</param>
internal sealed record KvmFigures(IReadOnlyDictionary<string, long> Counts, IReadOnlyDictionary<string, long> Nanoseconds);

/// <summary>The counters of one device.</summary>
/// <param name="Name">Which device, as in <c>disk0</c>.</param>
/// <param name="Kind">Its kind, such as <c>blk</c> or <c>net</c>.</param>
/// <param name="Counters">Names in camel case, such as <c>reads</c> or <c>readBytes</c>.</param>
public sealed record DeviceCounters(string Name, string Kind, IReadOnlyDictionary<string, long> Counters);
