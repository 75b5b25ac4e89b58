using System.Globalization;

namespace MiniVmm.Cli.Qemu;

/// <summary>What of its log QEMU's <c>-d</c> asks for, where KVM lets it be seen.</summary>
/// <param name="Trace">What <c>--trace</c> would be told; null for none of it.</param>
/// <param name="Resets">Whether resets and triple faults are in it.</param>
/// <param name="File">That of <c>-D</c>; null for standard error.</param>
internal sealed record QemuLogRequest(string? Trace, bool Resets, string? File);

/// <summary>An item of QEMU's log.</summary>
/// <param name="Name">Its word.</param>
/// <param name="Note">What it shows; null for one of a processor, or code, that QEMU itself would have to run.</param>
/// <param name="Trace">The kind of trace that shows it.</param>
internal sealed record QemuLogItem(string Name, string? Note = null, string? Trace = null)
{
    private const string Everything = "all";
    private const string TraceEvents = "trace:";

    /// <summary>Those of QEMU 10's <c>-d help</c>, in its order.</summary>
    public static IReadOnlyList<QemuLogItem> All { get; } =
    [
        new("out_asm"), new("in_asm"), new("op"), new("op_opt"), new("op_ind"), new("op_plugin"),
        new("int", "interrupts that devices send; those of KVM's own timers and exceptions are not seen", "irq"),
        new("exec"), new("cpu"), new("fpu"), new("mmu"), new("pcall"),
        new("cpu_reset", "resets and triple faults"),
        new("unimp"),
        new("guest_errors", "accesses to ports and addresses that no device has", "unclaimed"),
        new("page"), new("nochain"), new("plugin"), new("strace"), new("tid"), new("vpu"),
        new("invalid_mem", "the same as guest_errors", "unclaimed"),
    ];

    /// <summary>Reads <c>-d</c>.</summary>
    /// <param name="word">The option.</param>
    /// <param name="file">The value of <c>-D</c>.</param>
    /// <param name="notes">Gets a line about the items of which nothing is seen.</param>
    /// <returns>Null where nothing is to be logged.</returns>
    /// <exception cref="BadInputException">QEMU has no such item, or could not make a file's name of <c>-D</c>.</exception>
    public static QemuLogRequest? Read(QemuWord word, string? file, List<string> notes)
    {
        List<string> traced = [], unseen = [];
        bool resets = false;
        foreach (string name in word.Value.Split(','))
        {
            bool known = name.StartsWith(TraceEvents, StringComparison.Ordinal) && name.Length > TraceEvents.Length;
            if (known)
                unseen.Add(name);
            foreach (QemuLogItem item in All)
            {
                if (name != item.Name && name != Everything)
                    continue;
                known = true;
                if (item.Note is null)
                    unseen.Add(item.Name);
                else if (item.Trace is null)
                    resets = true;
                else if (!traced.Contains(item.Trace))
                    traced.Add(item.Trace);
            }

            if (!known)
                throw new BadInputException($"{word}: QEMU's log has no item '{name}'; 'minivmm qemu -d help' lists them");
        }

        if (unseen.Count > 0)
            notes.Add($"{word.Spelling} {string.Join(',', unseen)} has no effect: under KVM only int, cpu_reset, guest_errors and invalid_mem are seen");
        return traced.Count == 0 && !resets ? null
            : new QemuLogRequest(traced.Count == 0 ? null : string.Join(',', traced), resets, file is null ? null : FileName(file));
    }

    /// <summary>A %d in it is the process' ID.</summary>
    private static string FileName(string pattern)
    {
        int percent = pattern.IndexOf('%', StringComparison.Ordinal);
        if (percent < 0)
            return pattern;
        if (!pattern.AsSpan(percent).StartsWith("%d", StringComparison.Ordinal) || pattern.IndexOf('%', percent + 1) >= 0)
            throw new BadInputException($"-D {pattern}: of % there may be one %d, for the process' ID");
        return $"{pattern[..percent]}{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}{pattern[(percent + 2)..]}";
    }
}
