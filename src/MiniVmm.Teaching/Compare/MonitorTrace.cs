using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Compare;

/// <summary>How often an ioctl was made.</summary>
/// <param name="Before">Before the first KVM_RUN.</param>
/// <param name="Later">After it.</param>
internal readonly record struct CallCount(long Before, long Later);

/// <summary>What a monitor did with KVM: its calls, and its exits in their order.</summary>
internal sealed class MonitorTrace
{
    /// <summary>Exits that are kept, with their times; those after are counted in <see cref="Dropped"/>.</summary>
    public const int MostExits = 1_000_000;

    private readonly List<ComparedExit> _exits = [];
    private readonly Dictionary<string, CallCount> _calls = [];

    /// <summary>In the order in which they were done.</summary>
    public IReadOnlyList<ComparedExit> Exits => _exits;

    /// <summary>How many of the first ones are the firmware's: what comes after is the kernel's.</summary>
    public int FirmwareExits { get; set; }

    /// <summary>Exits that are not among <see cref="Exits"/>.</summary>
    public long Dropped { get; set; }

    /// <summary>Writes that KVM gathered, and that were done with a later exit: no exits of their own (KVM_CAP_COALESCED_MMIO).</summary>
    public long Coalesced { get; set; }

    /// <summary>Ioctls by name, KVM_RUN left out.</summary>
    public IReadOnlyDictionary<string, CallCount> Calls => _calls;

    public void Add(in ComparedExit exit)
    {
        if (_exits.Count < MostExits)
            _exits.Add(exit);
        else
            Dropped++;
    }

    /// <param name="request">The ioctl.</param>
    /// <param name="hasRun">Whether a vCPU has run before it.</param>
    public void AddCall(uint request, bool hasRun)
    {
        string name = KvmRequestNames.Of(request);
        CallCount count = _calls.GetValueOrDefault(name);
        _calls[name] = hasRun ? count with { Later = count.Later + 1 } : count with { Before = count.Before + 1 };
    }
}
