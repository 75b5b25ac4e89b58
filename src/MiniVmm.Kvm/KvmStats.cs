using System.Runtime.InteropServices;
using System.Text;
using MiniVmm.Host;
using Tmds.Linux;

namespace MiniVmm.Kvm;

/// <summary>
/// The statistics of a VM or a vCPU as the kernel counts them (api.rst, KVM_GET_STATS_FD): what there is depends on
/// kernel and architecture, and is listed by the file itself.
/// </summary>
public sealed unsafe class KvmStats : IDisposable
{
    // A kernel of today has some 50 of them, of 48 bytes a name; more is not a statistics file.
    private const uint MostDescriptors = 4096;
    private const uint LongestName = 1024;

    private readonly FileHandle _handle;
    private readonly Dictionary<string, long> _offsets = [];
    private readonly List<string> _counts = [];
    private readonly List<string> _states = [];
    private readonly List<string> _times = [];
    private int _fd;

    /// <summary>Takes the fd over.</summary>
    /// <exception cref="KvmException">It does not read as statistics.</exception>
    internal KvmStats(int fd)
    {
        _fd = fd;
        _handle = FileHandle.Hold(fd);
        try
        {
            ReadDescriptors();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Takes over what <see cref="KvmVcpu.TryOpenStats"/> has opened.</summary>
    /// <exception cref="KvmException">It does not read as statistics.</exception>
    public static KvmStats Own(int fd) => new(fd);

    /// <summary>The names of all that is counted, in the kernel's order.</summary>
    public IReadOnlyCollection<string> Names => _offsets.Keys;

    /// <summary>Reads one value now; of a histogram, its first bucket.</summary>
    /// <param name="name">As the kernel names it: "exits", "io_exits", …</param>
    /// <param name="value">The value, in the unit that the kernel gives it.</param>
    /// <returns>Whether this kernel counts it.</returns>
    /// <exception cref="KvmException">The read failed.</exception>
    public bool TryRead(string name, out ulong value)
    {
        value = 0;
        if (!_offsets.TryGetValue(name, out long offset))
            return false;
        fixed (ulong* p = &value)
            ReadAt(offset, p, sizeof(ulong));
        return true;
    }

    /// <summary>Reads all that counts events, as "exits", by the descriptors: one value, which only grows, without a unit.</summary>
    /// <returns>By name; without those that have not happened.</returns>
    /// <exception cref="KvmException">The read failed.</exception>
    public Dictionary<string, long> ReadCounts() => Read(_counts);

    /// <summary>Reads how much there is now, or was at most, of what has no unit, as "pages_4k"; without those of which there is none.</summary>
    /// <exception cref="KvmException">The read failed.</exception>
    public Dictionary<string, long> ReadStates() => Read(_states);

    /// <summary>Reads all times that only grow, as "halt_wait_ns"; without those that are 0.</summary>
    /// <returns>Nanoseconds.</returns>
    /// <exception cref="KvmException">The read failed.</exception>
    public Dictionary<string, long> ReadNanoseconds() => Read(_times);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _fd, -1) >= 0)
            _handle.Drop();
    }

    private void ReadDescriptors()
    {
        kvm_stats_header header;
        ReadAt(0, &header, sizeof(kvm_stats_header));
        if (header.num_desc > MostDescriptors || header.name_size > LongestName)
        {
            throw KvmException.Unusable(
                "read statistics", $"{header.num_desc} descriptors of {header.name_size} bytes", "use another kernel");
        }

        int size = sizeof(kvm_stats_desc) + (int)header.name_size;
        byte* descriptor = stackalloc byte[size];
        for (uint i = 0; i < header.num_desc; i++)
        {
            ReadAt(header.desc_offset + i * (long)size, descriptor, size);
            ReadOnlySpan<byte> name = new(descriptor + sizeof(kvm_stats_desc), (int)header.name_size);
            int end = name.IndexOf((byte)0);
            string text = Encoding.UTF8.GetString(end < 0 ? name : name[..end]);
            _offsets[text] = header.data_offset + (long)((kvm_stats_desc*)descriptor)->offset;
            ListOf(*(kvm_stats_desc*)descriptor)?.Add(text);
        }
    }

    /// <summary>Null for histograms, switches, and units that KVM has for none of today's.</summary>
    private List<string>? ListOf(kvm_stats_desc descriptor)
    {
        if (descriptor.size != 1)
            return null;
        bool grows = (descriptor.flags & KvmConstants.KVM_STATS_TYPE_MASK) == KvmConstants.KVM_STATS_TYPE_CUMULATIVE;
        bool isState = (descriptor.flags & KvmConstants.KVM_STATS_TYPE_MASK)
            is KvmConstants.KVM_STATS_TYPE_INSTANT or KvmConstants.KVM_STATS_TYPE_PEAK;
        return (descriptor.flags & (KvmConstants.KVM_STATS_UNIT_MASK | KvmConstants.KVM_STATS_BASE_MASK), descriptor.exponent) switch
        {
            (KvmConstants.KVM_STATS_UNIT_NONE | KvmConstants.KVM_STATS_BASE_POW10, 0) => grows ? _counts : isState ? _states : null,
            (KvmConstants.KVM_STATS_UNIT_SECONDS | KvmConstants.KVM_STATS_BASE_POW10, -9) when grows => _times,
            _ => null,
        };
    }

    private Dictionary<string, long> Read(List<string> names)
    {
        Dictionary<string, long> values = [];
        foreach (string name in names)
        {
            if (TryRead(name, out ulong value) && value != 0)
                values[name] = (long)Math.Min(value, long.MaxValue);
        }

        return values;
    }

    private void ReadAt(long offset, void* to, int length)
    {
        int fd = FileHandle.Open(_fd, this);
        while (true)
        {
            long got = (long)LibC.pread(fd, to, (size_t)length, (off_t)offset);
            if (got == length)
                return;
            int errno = Marshal.GetLastPInvokeError();
            if (got >= 0)
            {
                throw KvmException.Unusable(
                    "read statistics", $"{got} of {length} bytes at {offset}", "the file ends there");
            }

            if (errno != Errno.EINTR)
                throw new KvmException("read statistics", errno);
        }
    }
}
