using System.Runtime.InteropServices;

namespace MiniVmm.Network.User;

/// <summary>
/// The functions of libslirp that are needed, looked up when the first network in user mode is created: a machine
/// without one runs where the library is not installed, and does not pay for loading it.
/// </summary>
internal sealed unsafe class SlirpLibrary
{
    internal const string FileName = "libslirp.so.0";

    private const string GLib = "libglib-2.0.so.0";

    // G_LOG_LEVEL_CRITICAL down to _DEBUG; a G_LOG_LEVEL_ERROR ends the process, and is printed.
    private const int LogLevels = 8 | 16 | 32 | 64 | 128;

    // libslirp keeps its clock, and the host's name servers, in variables of the library: one thread at a time.
    internal static readonly Lock Gate = new();

    private SlirpLibrary(nint library)
    {
        New = (delegate* unmanaged<SlirpConfig*, SlirpCb*, nint, nint>)Find(library, "slirp_new");
        Cleanup = (delegate* unmanaged<nint, void>)Find(library, "slirp_cleanup");
        PollFdsFill = (delegate* unmanaged<nint, uint*, delegate* unmanaged<int, int, nint, int>, nint, void>)
            Find(library, "slirp_pollfds_fill");
        PollFdsPoll = (delegate* unmanaged<nint, int, delegate* unmanaged<int, nint, int>, nint, void>)
            Find(library, "slirp_pollfds_poll");
        Input = (delegate* unmanaged<nint, byte*, int, void>)Find(library, "slirp_input");
        AddHostForward = (delegate* unmanaged<nint, int, uint, int, uint, int, int>)
            Find(library, "slirp_add_hostfwd");
        var version = (delegate* unmanaged<byte*>)Find(library, "slirp_version_string");
        Version = Marshal.PtrToStringUTF8((nint)version()) ?? "";
    }

    /// <summary>"4.7.0".</summary>
    public string Version { get; }

    public delegate* unmanaged<SlirpConfig*, SlirpCb*, nint, nint> New { get; }

    public delegate* unmanaged<nint, void> Cleanup { get; }

    public delegate* unmanaged<nint, uint*, delegate* unmanaged<int, int, nint, int>, nint, void> PollFdsFill { get; }

    public delegate* unmanaged<nint, int, delegate* unmanaged<int, nint, int>, nint, void> PollFdsPoll { get; }

    public delegate* unmanaged<nint, byte*, int, void> Input { get; }

    /// <summary>slirp_add_hostfwd: addresses in network order, ports in the host's; -1 with errno set.</summary>
    public delegate* unmanaged<nint, int, uint, int, uint, int, int> AddHostForward { get; }

    /// <summary>Loads the library; once loaded it stays for the life of the process.</summary>
    /// <exception cref="HostLimitException">Not installed, or older than 4.1.</exception>
    public static SlirpLibrary Load(string fileName = FileName)
    {
        if (!NativeLibrary.TryLoad(fileName, out nint library))
            throw new HostLimitException($"{UserNetwork.Subject}: {fileName} is not installed; apt-get install libslirp0");
        SlirpLibrary loaded = new(library);
        Silence();
        return loaded;
    }

    /// <summary>
    /// libslirp complains of a guest's packets on standard error, by GLib: a guest could fill the terminal.
    /// </summary>
    private static void Silence()
    {
        if (!NativeLibrary.TryLoad(GLib, out nint glib)
            || !NativeLibrary.TryGetExport(glib, "g_log_set_handler", out nint function))
            return;
        var setHandler = (delegate* unmanaged<byte*, int, delegate* unmanaged<byte*, int, byte*, nint, void>, nint, uint>)
            function;
        fixed (byte* domain = "Slirp\0"u8)
            _ = setHandler(domain, LogLevels, &Drop, 0);
    }

    [UnmanagedCallersOnly]
    private static void Drop(byte* domain, int level, byte* message, nint opaque)
    {
    }

    private static nint Find(nint library, string function) =>
        NativeLibrary.TryGetExport(library, function, out nint address)
            ? address
            : throw new HostLimitException(
                $"{UserNetwork.Subject}: the installed libslirp has no {function}; MiniVmm needs libslirp 4.1 or newer");
}
