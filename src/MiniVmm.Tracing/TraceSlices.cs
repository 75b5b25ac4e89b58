using System.Globalization;

namespace MiniVmm.Tracing.Files;

/// <summary>What a slice of a track is called, and what is told of it: the same in each format.</summary>
internal static class TraceSlices
{
    /// <summary>Few names, so that slices can be grouped by them: "COM1 write", "HLT", "disk0 request".</summary>
    public static string Name(TraceRecord record)
    {
        string who = record.Device ?? (record.Event.Kind <= TraceEventKind.PortWrite ? "port" : "memory");
        return record.Event.Kind switch
        {
            TraceEventKind.PortRead or TraceEventKind.MemoryRead => $"{who} read",
            TraceEventKind.PortWrite or TraceEventKind.MemoryWrite => $"{who} write",
            TraceEventKind.Interrupt => record.Device is null ? "interrupt" : $"{record.Device} interrupt",
            TraceEventKind.Doorbell => $"{who} doorbell",
            TraceEventKind.Request => $"{who} request",
            TraceEventKind.Kick => "kick",
            _ => record.ReasonName,
        };
    }

    /// <summary>The details by their names, in a fixed order; only those that there are.</summary>
    public static IEnumerable<(string Name, string Value)> Details(TraceRecord record)
    {
        yield return ("kind", KindName(record.Event.Kind));
        if (record.IsExit)
            yield return ("reason", record.ReasonName);
        if (record.IsAccess)
        {
            yield return ("address", Hex(record.Event.Address));
            yield return ("value", Hex(record.Event.Value));
            yield return ("size", record.Event.Size.ToString(CultureInfo.InvariantCulture));
            if (record.Event.Count > 1)
                yield return ("items", record.Event.Count.ToString(CultureInfo.InvariantCulture));
        }

        if (record.Device is { } device)
            yield return ("device", device);
        if (record.Words is { } words)
            yield return ("what", words);
        if (record.Rip is { } rip)
            yield return ("rip", Hex(rip));
        if (record.Symbol is { } symbol)
            yield return ("symbol", symbol);
        if (record.Instruction is { } instruction)
            yield return ("instruction", instruction);
    }

    public static string KindName(TraceEventKind kind) => kind switch
    {
        TraceEventKind.PortRead => "port read",
        TraceEventKind.PortWrite => "port write",
        TraceEventKind.MemoryRead => "memory read",
        TraceEventKind.MemoryWrite => "memory write",
        TraceEventKind.Kick => "kick",
        TraceEventKind.Interrupt => "interrupt",
        TraceEventKind.Doorbell => "doorbell",
        TraceEventKind.Request => "request",
        _ => "exit",
    };

    /// <summary>The kind of that name; null for none.</summary>
    public static TraceEventKind? KindOf(string? name)
    {
        for (TraceEventKind kind = 0; kind <= TraceEventKind.Request; kind++)
        {
            if (kind != TraceEventKind.Code && KindName(kind) == name)
                return kind;
        }

        return null;
    }

    /// <summary>The event that a slice was made of.</summary>
    /// <param name="detail">Gives the details by their names.</param>
    /// <param name="thread">The track's name.</param>
    /// <param name="vcpu">Whose track it is, where it is a vCPU's.</param>
    /// <param name="at">Where it begins, in nanoseconds.</param>
    /// <param name="took">How long it is.</param>
    /// <param name="ran">How long KVM_RUN ran before it.</param>
    /// <exception cref="FormatException">It is no slice of ours.</exception>
    public static TracedItem Item(Func<string, string?> detail, string thread, int vcpu, long at, long took, long ran)
    {
        TraceEventKind kind = KindOf(detail("kind")) ?? throw new FormatException("an event of no kind");
        bool isExit = kind <= TraceEventKind.Kick;
        return new TracedItem
        {
            Kind = kind,
            Thread = thread,
            Vcpu = isExit ? vcpu : null,
            Reason = detail("reason") ?? "",
            Address = Number(detail("address")) ?? 0,
            Device = detail("device"),
            Words = detail("what"),
            Rip = Number(detail("rip")),
            Symbol = detail("symbol"),
            Instruction = detail("instruction"),
            At = at,
            Took = took,
            Ran = isExit ? ran : 0,
        };
    }

    private static ulong? Number(string? hex) => hex is { Length: > 2 }
        ? ulong.Parse(hex.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
        : null;

    private static string Hex(ulong value) => $"0x{value.ToString("x", CultureInfo.InvariantCulture)}";
}
