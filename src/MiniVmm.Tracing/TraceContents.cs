namespace MiniVmm.Tracing.Files;

/// <summary>One event of a trace that was read.</summary>
internal sealed class TracedItem
{
    public required TraceEventKind Kind { get; init; }

    /// <summary>The thread's name: "vCPU 0".</summary>
    public required string Thread { get; init; }

    /// <summary>The vCPU whose exit it is; null for an event of another kind.</summary>
    public int? Vcpu { get; init; }

    /// <summary>KVM's name of an exit's reason.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Port or guest-physical address of an access.</summary>
    public ulong Address { get; init; }

    public string? Device { get; init; }

    public string? Words { get; init; }

    public ulong? Rip { get; init; }

    /// <summary>As in "main+0x12".</summary>
    public string? Symbol { get; init; }

    public string? Instruction { get; init; }

    /// <summary>When it began, in nanoseconds from the trace's start: for an exit when KVM_RUN returned.</summary>
    public long At { get; init; }

    /// <summary>How long it took, in nanoseconds: for an exit what MiniVmm did for it.</summary>
    public long Took { get; init; }

    /// <summary>How long KVM_RUN ran before it, in nanoseconds; 0 for an event that is no exit.</summary>
    public long Ran { get; init; }

    public bool IsExit => Vcpu is not null && Kind <= TraceEventKind.Kick;

    public bool IsAccess => Kind <= TraceEventKind.MemoryWrite;

    /// <summary>The function without the offset in it; null where it is not known.</summary>
    public string? Function => Symbol?.Split('+')[0];
}

/// <summary>Exits of a vCPU that did not fit into the trace.</summary>
internal sealed class LostExits
{
    public required int Vcpu { get; init; }

    public required string Reason { get; init; }

    public required long Count { get; init; }
}

/// <summary>A trace that was read.</summary>
internal sealed class TraceContents
{
    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary>In the order of the file, in which they were done.</summary>
    public List<TracedItem> Items { get; } = [];

    public List<LostExits> Lost { get; } = [];

    /// <summary>What was traced, as in "io,vcpu=0"; null where the file ends without a word.</summary>
    public string? Filter { get; set; }

    /// <summary>Events that did not fit, of all kinds.</summary>
    public long LostEvents { get; set; }

    /// <summary>Whether the file has its end; a machine that was killed leaves one without.</summary>
    public bool IsWhole { get; set; }

    /// <summary>vCPUs that have exits, in their order.</summary>
    public IReadOnlyList<int> Vcpus
    {
        get
        {
            SortedSet<int> vcpus = [];
            foreach (TracedItem item in Items)
            {
                if (item.Vcpu is { } vcpu)
                    vcpus.Add(vcpu);
            }

            foreach (LostExits lost in Lost)
                vcpus.Add(lost.Vcpu);
            return [.. vcpus];
        }
    }
}
