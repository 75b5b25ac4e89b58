using System.Globalization;
using MiniVmm.Kvm;

namespace MiniVmm.Tracing;

/// <summary>Kinds of events that can be asked for.</summary>
[Flags]
internal enum TraceKinds
{
    None = 0,

    /// <summary>Accesses to ports.</summary>
    Io = 1 << 0,

    /// <summary>Accesses to memory that is no RAM.</summary>
    Mmio = 1 << 1,

    /// <summary>All exits but those.</summary>
    Others = 1 << 2,

    /// <summary>Accesses to MSRs that KVM does not know.</summary>
    Msr = 1 << 3,

    /// <summary>Interrupts that devices raise.</summary>
    Irq = 1 << 4,

    /// <summary>Doorbells and requests of virtio devices.</summary>
    Virtio = 1 << 5,

    /// <summary>Of the accesses to ports and to memory those that no device takes.</summary>
    Unclaimed = 1 << 6,

    Exits = Io | Mmio | Others | Msr,

    All = Exits | Irq | Virtio,
}

/// <summary>Which events are traced: kinds, and conditions that narrow them down.</summary>
internal sealed class TraceFilter
{
    private static readonly (string Name, TraceKinds Kinds)[] Names =
    [
        ("exits", TraceKinds.Exits), ("io", TraceKinds.Io), ("mmio", TraceKinds.Mmio), ("irq", TraceKinds.Irq),
        ("msr", TraceKinds.Msr), ("virtio", TraceKinds.Virtio), ("unclaimed", TraceKinds.Unclaimed), ("all", TraceKinds.All),
    ];

    /// <summary>Everything.</summary>
    public static TraceFilter Everything { get; } = new() { Kinds = TraceKinds.All, Text = "all" };

    /// <summary>All exits that the machine has without a trace: those for MSRs come of tracing them.</summary>
    public static TraceFilter OwnExits => new() { Kinds = TraceKinds.Io | TraceKinds.Mmio | TraceKinds.Others, Text = "exits" };

    public TraceKinds Kinds { get; private set; }

    /// <summary>Only this vCPU's exits; null for all.</summary>
    public int? Vcpu { get; private set; }

    /// <summary>Only accesses to these ports, or to those addresses; null for any.</summary>
    public (ulong First, ulong Last)? Ports { get; private set; }

    /// <inheritdoc cref="Ports"/>
    public (ulong First, ulong Last)? Addresses { get; private set; }

    /// <summary>Only what this device is concerned with, by a part of its name; null for all.</summary>
    public string? Device { get; private set; }

    /// <summary>So many events are passed over first.</summary>
    public long After { get; private set; }

    /// <summary>No more events than this.</summary>
    public long Limit { get; private set; } = long.MaxValue;

    /// <summary>As it was written.</summary>
    public string Text { get; private set; } = "";

    /// <summary>Whether every exit of every vCPU is traced.</summary>
    public bool TakesAllExits => (Kinds & TraceKinds.Exits) == TraceKinds.Exits && Vcpu is null && Ports is null
        && Addresses is null && Device is null && After == 0 && Limit == long.MaxValue;

    /// <summary>Reads what to trace, as in "io,port=0x3f8-0x3ff,limit=100".</summary>
    /// <exception cref="BadInputException">It is nothing that can be traced; says which word.</exception>
    public static TraceFilter Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        TraceFilter filter = new() { Text = text };
        foreach (string word in text.Split(','))
        {
            int equals = word.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0)
                filter.Kinds |= Kind(text, word);
            else
                filter.Take(text, word[..equals], word[(equals + 1)..]);
        }

        if (filter.Kinds == TraceKinds.None)
            filter.Kinds = filter.Ports is null && filter.Addresses is null && filter.Vcpu is null ? TraceKinds.All : TraceKinds.Exits;
        return filter;
    }

    /// <summary>Whether a thread is to write an event down. Allocates nothing.</summary>
    public bool Admits(TraceEventKind kind, uint reason, ulong address)
    {
        TraceKinds wanted = kind switch
        {
            TraceEventKind.PortRead or TraceEventKind.PortWrite => TraceKinds.Io | TraceKinds.Unclaimed,
            TraceEventKind.MemoryRead or TraceEventKind.MemoryWrite => TraceKinds.Mmio | TraceKinds.Unclaimed,
            TraceEventKind.Interrupt => TraceKinds.Irq,
            TraceEventKind.Doorbell or TraceEventKind.Request => TraceKinds.Virtio,
            _ => (KvmExitReason)reason is KvmExitReason.KVM_EXIT_X86_RDMSR or KvmExitReason.KVM_EXIT_X86_WRMSR
                ? TraceKinds.Msr : TraceKinds.Others,
        };
        if ((Kinds & wanted) == 0)
            return false;
        if (Ports is null && Addresses is null)
            return true;
        return wanted switch
        {
            TraceKinds.Io | TraceKinds.Unclaimed => Ports is { } ports && address >= ports.First && address <= ports.Last,
            TraceKinds.Mmio | TraceKinds.Unclaimed => Addresses is { } range && address >= range.First && address <= range.Last,
            _ => false,
        };
    }

    /// <summary>Whether an access that was written down is shown, now that it is known whose it is.</summary>
    /// <param name="isPort">Whether it is one to ports.</param>
    /// <param name="isClaimed">Whether a device takes it.</param>
    public bool AdmitsAccess(bool isPort, bool isClaimed) =>
        !isClaimed && (Kinds & TraceKinds.Unclaimed) != 0 || (Kinds & (isPort ? TraceKinds.Io : TraceKinds.Mmio)) != 0;

    private static TraceKinds Kind(string text, string word)
    {
        foreach ((string name, TraceKinds kinds) in Names)
        {
            if (name == word)
                return kinds;
        }

        throw new BadInputException(
            $"{OptionName.Trace.With(text)}: '{word}' cannot be traced; exits, io, mmio, irq, msr, virtio, unclaimed or all can, "
            + $"and vcpu=, port=, addr=, device=, after= and limit= narrow that down");
    }

    private void Take(string text, string name, string value)
    {
        switch (name)
        {
            case "vcpu":
                Vcpu = (int)Number(text, name, value, 4095);
                break;
            case "port":
                Ports = Range(text, name, value, 0xffff);
                break;
            case "addr":
                Addresses = Range(text, name, value, ulong.MaxValue);
                break;
            case "device" when value.Length > 0:
                Device = value;
                break;
            case "after":
                After = (long)Number(text, name, value, long.MaxValue);
                break;
            case "limit":
                Limit = (long)Number(text, name, value, long.MaxValue);
                break;
            default:
                throw new BadInputException(
                    $"{OptionName.Trace.With(text)}: '{name}={value}' is none of vcpu=N, port=A-B, addr=A-B, device=NAME, after=N and limit=N");
        }
    }

    private static (ulong First, ulong Last) Range(string text, string name, string value, ulong most)
    {
        int dash = value.IndexOf('-', StringComparison.Ordinal);
        ulong first = Number(text, name, dash < 0 ? value : value[..dash], most);
        ulong last = dash < 0 ? first : Number(text, name, value[(dash + 1)..], most);
        return last >= first ? (first, last) : throw new BadInputException(
            $"{OptionName.Trace.With(text)}: {name}={value} ends before it begins");
    }

    private static ulong Number(string text, string name, string value, ulong most)
    {
        bool hex = value.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        bool isNumber = hex
            ? ulong.TryParse(value.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong number)
            : ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out number);
        return isNumber && number <= most ? number : throw new BadInputException(
            $"{OptionName.Trace.With(text)}: {name}={value}: '{value}' is no whole number from 0 to {most}, such as 1016 or 0x3f8");
    }
}
