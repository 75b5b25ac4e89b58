using System.Runtime.InteropServices;
using MiniVmm.Kvm;
using static MiniVmm.Kvm.Linux;

namespace MiniVmm.Network.User;

/// <summary>
/// The descriptors of one poll(2): anew before each, in memory of their own that only grows.
/// </summary>
internal sealed unsafe class PollSet : IDisposable
{
    private PollFd* _entries;
    private int _capacity = 64;

    public PollSet()
    {
        _entries = (PollFd*)NativeMemory.Alloc((nuint)_capacity, (nuint)sizeof(PollFd));
    }

    public int Count { get; private set; }

    public void Clear() => Count = 0;

    /// <returns>Its index for <see cref="Result"/>.</returns>
    public int Add(int fd, short events)
    {
        if (Count == _capacity)
        {
            _capacity *= 2;
            _entries = (PollFd*)NativeMemory.Realloc(_entries, (nuint)_capacity * (nuint)sizeof(PollFd));
        }

        _entries[Count] = new PollFd { fd = fd, events = events };
        return Count++;
    }

    /// <summary>What the descriptor is ready for; 0 for an index that is none.</summary>
    public short Result(int index) => (uint)index < (uint)Count ? _entries[index].revents : (short)0;

    /// <summary>Waits; a signal counts as nothing ready.</summary>
    /// <returns>Whether the results can be looked at.</returns>
    public bool Wait(int milliseconds)
    {
        if (Poll(_entries, (nuint)Count, milliseconds) >= 0)
            return true;
        for (int i = 0; i < Count; i++)
            _entries[i].revents = 0;
        return Marshal.GetLastPInvokeError() == Errno.EINTR;
    }

    public void Dispose()
    {
        NativeMemory.Free(_entries);
        _entries = null;
        Count = _capacity = 0;
    }
}
