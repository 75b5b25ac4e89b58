using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Network.User;

/// <summary>
/// How many sockets a guest may make this process open. libslirp has no limit of its own: a guest that makes
/// connections without end would use up the process' files, including those that `minivmm ctl` and an orderly end need.
/// Used by one thread.
/// </summary>
/// <param name="most">Sockets of one network.</param>
/// <param name="firstReserved">
/// The lowest descriptor that is kept for others: the kernel gives the lowest one that is free.
/// </param>
internal sealed unsafe class SocketLimit(int most, int firstReserved)
{
    // Each TCP connection has up to 256 KiB in libslirp's buffers.
    private const int Most = 4096;

    private readonly HashSet<int> _open = [];
    private readonly HashSet<int> _listeners = [];
    private int _high;

    /// <summary>Whether the limit is reached: nothing may be done that opens another socket.</summary>
    public bool IsReached => _open.Count >= most || _high > 0;

    /// <summary>
    /// What this process can spare (<see cref="FileLimit"/>, which keeps more than the frames of one turn, whose sockets are
    /// counted after it), up to what one network can use.
    /// </summary>
    /// <param name="used">A descriptor that was opened just now: those below are in use.</param>
    public static SocketLimit OfProcess(int used) => new(Most, FileLimit.FirstReserved(used));

    /// <summary>
    /// Counts a socket, once however often it is reported. Listening sockets are the user's and do not count.
    /// </summary>
    public void Add(int fd)
    {
        if (fd < 0 || _open.Contains(fd) || _listeners.Contains(fd))
            return;
        if (Listens(fd))
        {
            _listeners.Add(fd);
            return;
        }

        _open.Add(fd);
        if (fd >= firstReserved)
            _high++;
    }

    /// <summary>Stops counting it; one that was never counted is ignored.</summary>
    public void Remove(int fd)
    {
        _listeners.Remove(fd);
        if (_open.Remove(fd) && fd >= firstReserved)
            _high--;
    }

    /// <summary>
    /// Whether to poll a socket: a listening one accepts no connections while there is no room for them.
    /// </summary>
    public bool Admits(int fd) => !IsReached || !_listeners.Contains(fd);

    private static bool Listens(int fd)
    {
        int listens = 0;
        socklen_t length = sizeof(int);
        return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens != 0;
    }
}
