using MiniVmm.Control;

namespace MiniVmm.Tests.Control;

/// <summary>A machine that only remembers, and whose guest does what its balloon is asked for.</summary>
internal sealed class FakeMachine : IControlledMachine, IMachineHost
{
    public const ulong MiB = 1 << 20;

    private CpusState _cpus = new(2, 2, 4, 0, 0, []);
    private BalloonState? _balloon = new(0, 0);
    private MemoryState? _memory = new(4096, 1UL << 40, 4096, 4096);
    private MachineState _state = MachineState.Running;

    public MachineInfo Info { get; init; } = new("kernels/vmlinuz", 2, 4, 256 * MiB, DateTimeOffset.UtcNow);

    /// <summary>As last seen: with each look the guest moves it by <see cref="Step"/>.</summary>
    public BalloonState? Balloon
    {
        get
        {
            Looks++;
            BeforeLook?.Invoke(this);
            return _balloon is null || IsPaused ? _balloon : _balloon = _balloon with
            {
                ActualBytes = Next(_balloon.ActualBytes, _balloon.TargetBytes),
            };
        }

        set => _balloon = value;
    }

    public ulong MemoryBytes => Info.MemoryBytes;

    /// <summary>As last seen: with each look the guest moves it by <see cref="Step"/>.</summary>
    public MemoryState? Memory
    {
        get => _memory is null || IsPaused
            ? _memory
            : _memory = _memory with { ActualBytes = Next(_memory.ActualBytes, _memory.TargetBytes) };
        set => _memory = value;
    }

    /// <summary>What somebody else does to the machine before its balloon is looked at.</summary>
    public Action<FakeMachine>? BeforeLook { get; set; }

    /// <summary>How often the balloon was looked at; each request for it looks twice.</summary>
    public int Looks { get; private set; }

    /// <summary>As last seen: with each look the guest has answered about one more vCPU, unless <see cref="IsSilent"/>.</summary>
    public CpusState Cpus
    {
        get
        {
            BeforeCpus?.Invoke(this);
            if (_cpus.Pending == 0 || IsSilent || IsPaused)
                return _cpus;
            int step = Math.Sign(_cpus.Wanted - _cpus.Present);
            return _cpus = Refusal is { } refusal
                ? _cpus with { Pending = 0, Refusals = [refusal] }
                : _cpus with { Present = _cpus.Present + Math.Min(step, 0), Pending = _cpus.Pending - 1 };
        }

        set => _cpus = value;
    }

    /// <summary>What somebody else does to the machine before its vCPUs are looked at.</summary>
    public Action<FakeMachine>? BeforeCpus { get; set; }

    /// <summary>Whether the guest says nothing of vCPUs.</summary>
    public bool IsSilent { get; init; }

    /// <summary>What the guest says of any vCPU.</summary>
    public CpuRefusal? Refusal { get; init; }

    public bool IsPaused { get; set; }

    /// <summary>As last seen: with each look it comes to the next of <see cref="NextStates"/>.</summary>
    public MachineState State
    {
        get
        {
            if (NextStates.TryDequeue(out MachineState next))
                _state = next;
            return IsPaused ? MachineState.Paused : _state;
        }
    }

    public Queue<MachineState> NextStates { get; init; } = new();

    /// <summary>Whether it is a host's.</summary>
    public bool HasHost { get; init; } = true;

    public IMachineHost? Host => HasHost ? this : null;

    public long Restarts { get; private set; }

    public int Starts { get; private set; }

    /// <summary>How far the guest gets at a time.</summary>
    public ulong Step { get; init; } = ulong.MaxValue;

    /// <summary>What the guest cannot do without.</summary>
    public ulong MostActual { get; init; } = ulong.MaxValue;

    public int Stops { get; private set; }

    public int Presses { get; private set; }

    /// <summary>What its screen shows.</summary>
    public byte[] Picture { get; init; } = [0x89, 0x50, 0x4e, 0x47];

    /// <summary>Whether the guest has a driver for its power button.</summary>
    public bool ListensToButton { get; init; } = true;

    /// <summary>All that verbs can have changed.</summary>
    public string Said => $"{Balloon}, {_memory?.TargetBytes} of RAM, {_cpus.Wanted} cpus, typed {Typed}, {Presses} presses, {Trace}, {Stops} stops, {Pauses} pauses, "
        + $"{Resumes} resumes, "
        + $"{Starts} starts, {Restarts} restarts";

    public int Pauses { get; private set; }

    public int Resumes { get; private set; }

    public Exception? Failure { get; init; }

    public MachineStatistics Statistics { get; set; } = new()
    {
        Vcpus =
        [
            new VcpuCounts(true, 12, new Dictionary<string, long> { ["KVM_EXIT_IO"] = 10, ["KVM_EXIT_MMIO"] = 2 }, new Dictionary<string, long> { ["popcnt"] = 7 }, new(
                new Dictionary<string, long> { ["halt_exits"] = 5 }, new Dictionary<string, long> { ["halt_wait_ns"] = 6 })),
            new VcpuCounts(false, 0, new Dictionary<string, long>()),
        ],
        Backing = "anonymous",
        GuestMemory = new Dictionary<string, long> { ["freeMemory"] = 1 << 27, ["majorFaults"] = 3 },
        Devices = [new DeviceCounters("disk0", "blk", new Dictionary<string, long> { ["reads"] = 4 })],
        Kvm = new Dictionary<string, long> { ["pages_4k"] = 9 },
    };

    public MachineStatistics ReadStatistics() => Failure is null ? Statistics : throw Failure;

    public void SetBalloon(ulong bytes) => _balloon = _balloon! with { TargetBytes = bytes };

    public void SetMemory(ulong bytes) => _memory = _memory! with { TargetBytes = bytes };

    public CpusState SetCpus(int count) => _cpus = _cpus with
    {
        Wanted = count,
        Present = Math.Max(count, _cpus.Present), // those that are to go are there until the guest gives them up
        Pending = Math.Abs(count - _cpus.Present),
        Refusals = [],
    };

    public void Pause()
    {
        Pauses++;
        IsPaused = true;
    }

    public void Resume()
    {
        Resumes++;
        IsPaused = false;
    }

    public bool PressPowerButton()
    {
        Presses++;
        return ListensToButton;
    }

    public byte[] Screenshot() => Picture;

    /// <summary>What was typed, with the names of keys in angle brackets.</summary>
    public string Typed { get; private set; } = "";

    /// <summary>Whether the guest reads its keyboard.</summary>
    public bool ReadsKeyboard { get; init; } = true;

    public int WaitingKeys { get; private set; }

    public void Type(string text)
    {
        Typed += text + "|";
        WaitingKeys += ReadsKeyboard ? 0 : text.Length;
    }

    public void PressKeys(string keys)
    {
        Typed += $"<{keys}>";
        WaitingKeys += ReadsKeyboard ? 0 : keys.Length;
    }

    public TraceState Trace { get; private set; } = new(false, "", 0, 0, "");

    public void StartTrace(string what, string? file) => Trace = new(true, what, file?.Length ?? 0, 0, "");

    public void StopTrace() => Trace = Trace with { IsOn = false };

    public void Stop() => Stops++;

    public void Start() => Starts++;

    public void Restart() => Restarts++;

    private ulong Next(ulong actual, ulong target)
    {
        ulong wanted = Math.Min(target, MostActual);
        return wanted > actual ? actual + Math.Min(Step, wanted - actual) : actual - Math.Min(Step, actual - wanted);
    }
}
