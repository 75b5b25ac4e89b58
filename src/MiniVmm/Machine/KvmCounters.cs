using MiniVmm.Control;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>
/// What the kernel itself counts of a machine (api.rst, KVM_GET_STATS_FD), by the kernel's names. Its files are opened when somebody asks
/// first, a vCPU's on that vCPU's thread: KVM opens none while the vCPU is in the guest. Needs Linux 5.14.
/// </summary>
internal sealed class KvmCounters(MachineCore core) : IDisposable
{
    /// <summary>How long an answer waits for vCPUs to open their files; one that a device holds up has figures in a later answer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly List<Source> _vcpus = [];
    private KvmStats? _vm;
    private bool _vmAsked;
    private bool _closed;

    private bool IsThere => core.Vm.CheckExtension(KvmCapability.KVM_CAP_BINARY_STATS_FD) != 0;

    /// <summary>Has all vCPUs that have not done so open their files, and waits for them a moment: for all of them, not for each.</summary>
    public void Open(IReadOnlyList<VcpuThread> vcpus)
    {
        ArgumentNullException.ThrowIfNull(vcpus);
        long end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        foreach (VcpuThread vcpu in vcpus)
        {
            if (ToOpen(vcpu) is { } source)
                _ = vcpu.Invoke(source.Open, TimeSpan.FromMilliseconds(Math.Max(0, end - Environment.TickCount64)));
        }
    }

    /// <summary>A vCPU's; null where this kernel has none, or not yet.</summary>
    public KvmFigures? Of(VcpuThread vcpu)
    {
        ArgumentNullException.ThrowIfNull(vcpu);
        lock (_lock)
            return _closed || vcpu.Index >= _vcpus.Count ? null : Read(_vcpus[vcpu.Index].Take());
    }

    /// <summary>The machine's; null where this kernel has none.</summary>
    public IReadOnlyDictionary<string, long>? OfMachine()
    {
        lock (_lock)
        {
            if (!_vmAsked && !_closed && IsThere)
            {
                _vmAsked = true;
                try
                {
                    _vm = core.Vm.OpenStats();
                }
                catch (SystemCallException)
                {
                    // No more files: there are no figures, then.
                }
            }

            return _closed ? null : ReadMachine();
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _closed = true;
            _vm?.Dispose();
            foreach (Source vcpu in _vcpus)
                vcpu.Close();
        }
    }

    private Source? ToOpen(VcpuThread vcpu)
    {
        lock (_lock)
        {
            while (_vcpus.Count <= vcpu.Index)
                _vcpus.Add(new());
            Source source = _vcpus[vcpu.Index];
            if (_closed || source.IsAsked || vcpu.IsParked || !IsThere)
                return null;
            source.IsAsked = true;
            return source;
        }
    }

    private static KvmFigures? Read(KvmStats? stats)
    {
        try
        {
            return stats is null ? null : new(stats.ReadCounts(), stats.ReadNanoseconds());
        }
        catch (SystemCallException)
        {
            return null;
        }
    }

    private Dictionary<string, long>? ReadMachine()
    {
        try
        {
            Dictionary<string, long>? all = _vm?.ReadCounts();
            foreach ((string name, long value) in _vm?.ReadStates() ?? [])
                all![name] = value;
            return all;
        }
        catch (SystemCallException)
        {
            return null;
        }
    }

    /// <summary>A vCPU's file.</summary>
    private sealed class Source
    {
        private const int None = -1;
        private const int Gone = -2;

        private int _fd = None; // opened, and nobody's yet
        private KvmStats? _stats;

        public bool IsAsked { get; set; }

        /// <summary>On the vCPU's thread, perhaps long after it was asked for. Allocates nothing.</summary>
        public void Open(KvmVcpu vcpu)
        {
            int fd = vcpu.TryOpenStats();
            if (fd >= 0 && Interlocked.CompareExchange(ref _fd, fd, None) != None)
                _ = FileCalls.Close(fd); // too late
        }

        /// <summary>Null as long as it is not open.</summary>
        public KvmStats? Take()
        {
            if (_stats is null && Volatile.Read(ref _fd) is >= 0 and var fd)
            {
                Volatile.Write(ref _fd, Gone);
                try
                {
                    _stats = KvmStats.Own(fd);
                }
                catch (SystemCallException)
                {
                    return null; // not to be read as statistics
                }
            }

            return _stats;
        }

        public void Close()
        {
            if (Interlocked.Exchange(ref _fd, Gone) is >= 0 and var fd)
                _ = FileCalls.Close(fd);
            _stats?.Dispose();
        }
    }
}
