using MiniVmm.Kvm;

namespace MiniVmm.Tracing;

/// <summary>An event in words, as sinks get it; good until the next one.</summary>
internal sealed class TraceRecord
{
    /// <summary>What the thread left.</summary>
    public TraceEvent Event;

    /// <summary>The vCPU of an exit, and of other events on its thread; null on any other thread.</summary>
    public int? Vcpu { get; set; }

    /// <summary>The thread's name.</summary>
    public string Thread { get; set; } = "";

    /// <summary>Which of the session's threads, from 0.</summary>
    public int ThreadIndex { get; set; }

    /// <summary>Times since the session's start, in seconds: KVM_RUN entered, left, and the exit served.</summary>
    public double Entered { get; set; }

    /// <inheritdoc cref="Entered"/>
    public double Exited { get; set; }

    /// <inheritdoc cref="Entered"/>
    public double Served { get; set; }

    /// <summary>Linear address of the instruction; null for an event without.</summary>
    public ulong? Rip { get; set; }

    /// <summary>The function there, as in "main+0x12"; null where nobody knows.</summary>
    public string? Symbol { get; set; }

    /// <summary>The instruction, as in "out dx,al"; null where it could not be read.</summary>
    public string? Instruction { get; set; }

    /// <summary>The device that the event is about; null for none.</summary>
    public string? Device { get; set; }

    /// <summary>What the device makes of it, as in "transmit 'H'"; null where there are no words.</summary>
    public string? Words { get; set; }

    public bool IsExit => Event.Kind <= TraceEventKind.Kick;

    public bool IsAccess => Event.Kind <= TraceEventKind.MemoryWrite;

    /// <summary>KVM's name of an exit's reason.</summary>
    public string ReasonName => TraceNames.Reason(Event.Reason);
}

/// <summary>What a trace begins with.</summary>
internal sealed class TraceHeader(TraceFilter filter, int vcpus, DateTimeOffset began)
{
    public TraceFilter Filter => filter;

    /// <summary>Most vCPUs that the machine can have.</summary>
    public int Vcpus => vcpus;

    /// <summary>The host's time at 0 seconds.</summary>
    public DateTimeOffset Began => began;
}

/// <summary>What a trace ends with.</summary>
internal sealed class TraceTotals(long taken, long lost, TraceRing[] rings, TimeSpan length)
{
    /// <summary>Events that the sink got.</summary>
    public long Taken => taken;

    /// <summary>Events that did not fit, of all kinds.</summary>
    public long Lost => lost;

    public TimeSpan Length => length;

    /// <summary>The threads: what each lost can be asked of them.</summary>
    public IReadOnlyList<TraceRing> Rings => rings;
}

/// <summary>Takes the events of a session, one after another, on the session's thread.</summary>
internal interface ITraceSink : IDisposable
{
    /// <summary>Before the first event, on the thread that starts the session.</summary>
    void Begin(TraceHeader header);

    void Write(TraceRecord record);

    /// <summary>Nothing more comes for now: what was written should be seen.</summary>
    void Flush();

    /// <summary>After the last event.</summary>
    void End(TraceTotals totals);
}

/// <summary>Who is where in a machine, as a trace names it. Asked on the session's thread.</summary>
internal interface ITraceNames
{
    /// <summary>The device that claims all of an access; null where nobody does.</summary>
    /// <param name="isPort">Ports rather than memory.</param>
    /// <param name="address">First port or address.</param>
    /// <param name="size">Bytes.</param>
    TracedDevice? DeviceAt(bool isPort, ulong address, int size);

    /// <summary>A virtio device, by the number that it has in events; null for a number of none.</summary>
    TracedDevice? Virtio(int number);

    /// <summary>The device behind an interrupt line; null where none is known.</summary>
    string? Line(uint line);

    /// <summary>The function that contains an address, as in "main+0x12"; null where nobody knows.</summary>
    string? Symbol(ulong linear, ulong? physical);

    /// <summary>Whether KVM emulates all of the guest's supervisor code, and so has passed an OUT when it tells of it.</summary>
    bool PassesOut { get; }
}

/// <summary>Names in traces.</summary>
internal static class TraceNames
{
    private static readonly string?[] Reasons = new string?[64];

    /// <summary>As the statistics has it: KVM_EXIT_IO.</summary>
    public static string Reason(uint reason)
    {
        if (reason >= Reasons.Length)
            return $"KVM_EXIT_{reason}";
        return Reasons[reason] ??= ((KvmExitReason)reason).ToString();
    }
}
