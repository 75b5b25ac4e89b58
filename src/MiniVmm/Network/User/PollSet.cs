using System.Runtime.InteropServices;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Network.User;

/// <summary>
/// The descriptors of one poll(2): rebuilt before each, in native memory that only grows.
/// </summary>
internal sealed unsafe class PollSet : IDisposable
{
    private pollfd* _entries;
    private int _capacity = 64;

    public PollSet()
    {
        _entries = (pollfd*)NativeMemory.Alloc((nuint)_capacity, (nuint)sizeof(pollfd));
    }

    public int Count { get; private set; }

    public void Clear() => Count = 0;

    /// <returns>Its index for <see cref="Result"/>.</returns>
    public int Add(int fd, short events)
    {
        if (Count == _capacity)
        {
            _capacity *= 2;
            _entries = (pollfd*)NativeMemory.Realloc(_entries, (nuint)_capacity * (nuint)sizeof(pollfd));
        }

        _entries[Count] = new pollfd { fd = fd, events = events };
        return Count++;
    }

    /// <summary>What the descriptor is ready for; 0 for an invalid index.</summary>
    public short Result(int index) => (uint)index < (uint)Count ? _entries[index].revents : (short)0;

    /// <summary>Waits; a signal counts as nothing ready.</summary>
    /// <returns>Whether the results can be looked at.</returns>
    public bool Wait(int milliseconds)
    {
        if (poll(_entries, (uint)Count, milliseconds) >= 0)
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
