using System.Runtime.InteropServices;
using System.Text;
using Tmds.Linux;

namespace MiniVmm.Tests.Terminal;

/// <summary>A pseudo-terminal that is nobody's controlling one (pty(7)).</summary>
internal sealed unsafe partial class PseudoTerminal : IDisposable
{
    private int _master;

    public PseudoTerminal()
    {
        _master = OpenMaster(LibC.O_RDWR | LibC.O_NOCTTY | LibC.O_CLOEXEC);
        Assert.True(_master >= 0);
        Assert.Equal(0, Grant(_master));
        Assert.Equal(0, Unlock(_master));
        byte* name = stackalloc byte[64];
        Assert.Equal(0, Name(_master, name, 64));
        Fd = LibC.open(name, LibC.O_RDWR | LibC.O_NOCTTY | LibC.O_CLOEXEC);
        Assert.True(Fd >= 0, Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name)));
    }

    /// <summary>The end that is a terminal.</summary>
    public int Fd { get; }

    public termios Mode
    {
        get
        {
            termios mode;
            Assert.Equal(0, LibC.tcgetattr(Fd, &mode));
            return mode;
        }
    }

    /// <summary>All of the mode, for comparison.</summary>
    public byte[] ModeBytes
    {
        get
        {
            termios mode = Mode;
            return new ReadOnlySpan<byte>(&mode, sizeof(termios)).ToArray();
        }
    }

    /// <summary>Whether it has room for text: nobody reads it.</summary>
    public bool TakesText
    {
        get
        {
            pollfd room = new() { fd = Fd, events = LibC.POLLOUT };
            return LibC.poll(&room, 1, 0) > 0;
        }
    }

    /// <summary>Writes, and waits for room, until <see cref="HangUp"/>.</summary>
    public void WriteUntilHungUp()
    {
        byte* text = stackalloc byte[256];
        while (LibC.write(Fd, text, 256) > 0)
        {
        }
    }

    /// <summary>Takes its reader away: whoever writes to it hears of that.</summary>
    public void HangUp()
    {
        if (_master >= 0)
            _ = LibC.close(_master);
        _master = -1;
    }

    public void Dispose()
    {
        HangUp();
        _ = LibC.close(Fd);
    }

    [LibraryImport("libc", EntryPoint = "posix_openpt")]
    private static partial int OpenMaster(int flags);

    [LibraryImport("libc", EntryPoint = "grantpt")]
    private static partial int Grant(int fd);

    [LibraryImport("libc", EntryPoint = "unlockpt")]
    private static partial int Unlock(int fd);

    [LibraryImport("libc", EntryPoint = "ptsname_r")]
    private static partial int Name(int fd, byte* name, nuint length);
}
