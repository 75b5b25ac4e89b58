using System.Runtime.InteropServices;
using Tmds.Linux;

namespace MiniVmm.Host;

/// <summary>
/// A file descriptor that is closed on release. The objects of this library take one reference when they
/// are made and give it back in Dispose, so that their calls can use the bare number: counting a reference
/// in and out of each call would put two interlocked operations into every KVM_RUN. The price is that an
/// object which is never disposed keeps its fd until the process ends; the gain over a bare finalizer is
/// that no fd is ever closed under a vCPU that runs.
/// </summary>
public sealed class FileHandle : SafeHandle
{
    private FileHandle(int fd)
        : base(-1, ownsHandle: true)
    {
        SetHandle(fd);
    }

    public override bool IsInvalid => handle < 0;

    /// <summary>Owns <paramref name="fd"/>, with the reference of its object taken.</summary>
    public static FileHandle Hold(int fd)
    {
        var held = new FileHandle(fd);
        bool added = false;
        held.DangerousAddRef(ref added);
        return held;
    }

    /// <summary>Gives the object's reference back and closes. Once only.</summary>
    public void Drop()
    {
        DangerousRelease();
        Dispose();
    }

    /// <summary>The fd of an object that is not disposed: a closed number may be another file's by now.</summary>
    /// <exception cref="ObjectDisposedException">Closed.</exception>
    public static int Open(int fd, object owner)
    {
        ObjectDisposedException.ThrowIf(fd < 0, owner);
        return fd;
    }

    protected override bool ReleaseHandle() => LibC.close((int)handle) == 0;
}
