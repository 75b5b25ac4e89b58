namespace MiniVmm.Virtio;

/// <summary>
/// A thread of a device's own, as the device sees it: it sleeps until a queue's doorbell rings or something that it was
/// told to watch is ready.
/// </summary>
public interface IDeviceLoop
{
    /// <summary>
    /// Has <paramref name="ready"/> called on this thread as long as <paramref name="fd"/> is ready
    /// (level-triggered, epoll(7)). Before the thread starts, or on it, or while it is parked.
    /// </summary>
    /// <param name="fd">Stays the caller's, and open until the watch is disposed of.</param>
    /// <param name="interest">What to wait for at first.</param>
    /// <param name="ready">Told what it is ready for; an error or a hang-up counts as both.</param>
    IWatch Watch(int fd, Readiness interest, Action<Readiness> ready);

    /// <summary>A timer whose end calls <paramref name="elapsed"/> on this thread. Not running at first.</summary>
    ILoopTimer CreateTimer(Action elapsed);
}

/// <summary>What an <see cref="IDeviceLoop"/> does with one file descriptor.</summary>
public interface IWatch : IDisposable
{
    /// <summary>What is waited for; <see cref="Readiness.None"/> rests it. Only on the loop's thread or while it is parked.</summary>
    Readiness Interest { get; set; }
}

/// <summary>A one-shot timer of an <see cref="IDeviceLoop"/>. Allocates nothing once it is made.</summary>
public interface ILoopTimer : IDisposable
{
    /// <summary>Starts it, or starts it anew.</summary>
    void Start(TimeSpan delay);

    void Stop();
}

/// <summary>What a file descriptor can be ready for.</summary>
[Flags]
public enum Readiness
{
    None = 0,
    Read = 1,
    Write = 2,
}
