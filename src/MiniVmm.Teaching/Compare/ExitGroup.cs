using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Compare;

/// <summary>How often something happened, and how long it took the monitor.</summary>
internal sealed class ExitTimes
{
    private readonly List<long> _took = [];

    public int Count => _took.Count;

    /// <summary>Nanoseconds in all.</summary>
    public long Sum { get; private set; }

    /// <summary>Nanoseconds that half of them do not exceed (nearest rank); null where there are none.</summary>
    public long? Median
    {
        get
        {
            _took.Sort();
            return _took.Count == 0 ? null : _took[(_took.Count - 1) / 2];
        }
    }

    public void Add(long took)
    {
        _took.Add(took);
        Sum += took;
    }
}

/// <summary>Exits of one kind and place under both monitors.</summary>
internal sealed class ExitGroup
{
    private readonly KnownCause? _cause;
    private readonly KvmExitReason _reason;
    private readonly bool _isAccess;

    private ExitGroup(string name, ComparedExit first, KnownCause? cause)
    {
        Name = name;
        _cause = cause;
        _reason = first.Reason;
        _isAccess = first.IsAccess;
    }

    /// <summary>As in "io fw_cfg" or "hlt".</summary>
    public string Name { get; }

    public ExitTimes MiniVmm { get; } = new();

    /// <summary>QEMU's before the kernel.</summary>
    public ExitTimes Firmware { get; } = new();

    /// <summary>QEMU's since the kernel was entered.</summary>
    public ExitTimes Kernel { get; } = new();

    /// <summary>Devices that MiniVmm's traces name.</summary>
    public SortedSet<string> MiniVmmDevices { get; } = [];

    /// <summary>Memory regions that QEMU's traces name.</summary>
    public SortedSet<string> QemuDevices { get; } = [];

    /// <summary>Why the numbers differ; null where they do not, or nobody knows.</summary>
    public string? Why
    {
        get
        {
            if (MiniVmm.Count == Kernel.Count && Firmware.Count == 0)
                return null;
            if (!_isAccess)
            {
                return KnownCause.OfReason(_reason)
                    ?? (_reason is KvmExitReason.KVM_EXIT_IO or KvmExitReason.KVM_EXIT_MMIO ? "no device of QEMU's takes an access of that size" : null);
            }

            List<string> reasons = [];
            if (Firmware.Count > 0 && _cause?.Firmware is { } firmware)
                reasons.Add(firmware);
            if (MiniVmm.Count != Kernel.Count && _cause?.Kernel is { } kernel)
                reasons.Add(kernel);
            return reasons.Count == 0 ? null : string.Join("; ", reasons);
        }
    }

    /// <summary>Groups both monitors' exits, those of which there are most first.</summary>
    public static List<ExitGroup> Of(MonitorTrace miniVmm, MonitorTrace qemu)
    {
        Dictionary<string, ExitGroup> groups = [];
        foreach (ComparedExit exit in miniVmm.Exits)
        {
            ExitGroup group = Find(exit);
            group.MiniVmm.Add(exit.Took);
            if (exit.Device is { } device)
                group.MiniVmmDevices.Add(device);
        }

        for (int i = 0; i < qemu.Exits.Count; i++)
        {
            ComparedExit exit = qemu.Exits[i];
            ExitGroup group = Find(exit);
            (i < qemu.FirmwareExits ? group.Firmware : group.Kernel).Add(exit.Took);
            if (exit.Device is { } device)
                group.QemuDevices.Add(device);
        }

        return [.. groups.Values.OrderByDescending(group => group.MiniVmm.Count + group.Firmware.Count + group.Kernel.Count).ThenBy(group => group.Name, StringComparer.Ordinal)];

        ExitGroup Find(in ComparedExit exit)
        {
            KnownCause? cause = exit.IsAccess ? KnownCause.Find(exit.IsPort, exit.Address) : null;
            string name = NameOf(exit, cause);
            if (!groups.TryGetValue(name, out ExitGroup? group))
                groups[name] = group = new(name, exit, cause);
            return group;
        }
    }

    /// <summary>The place where it has a name, else the port, or the page of memory.</summary>
    private static string NameOf(in ComparedExit exit, KnownCause? cause)
    {
        const ulong page = 0xfff;
        if (!exit.IsAccess)
            return exit.Reason is KvmExitReason.KVM_EXIT_IO or KvmExitReason.KVM_EXIT_MMIO ? $"{exit}, not named" : $"{exit}";
        string kind = exit.IsPort ? "io" : "mmio";
        return cause is not null ? $"{kind} {cause.Name}" : exit.IsPort ? $"io {exit.Address:x}" : $"mmio {exit.Address & ~page:x}";
    }
}
