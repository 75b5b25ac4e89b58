using System.Runtime.InteropServices;
using MiniVmm.Host;

namespace MiniVmm.Teaching.Doctor;

/// <summary>The host as the doctor sees it: all that it asks, so that a test can make one up.</summary>
internal sealed record DoctorHost
{
    /// <summary>/proc, /sys, /dev and /etc.</summary>
    public required HostFiles Files { get; init; }

    /// <summary>What /dev/kvm answered.</summary>
    public required KvmProbe Kvm { get; init; }

    /// <summary>The value of an environment variable; null if it is not set.</summary>
    public required Func<string, string?> Environment { get; init; }

    /// <summary>Whether this user may read and write a file.</summary>
    public required Func<string, bool> MayOpen { get; init; }

    /// <summary>Whether a shared library of that name can be loaded.</summary>
    public required Func<string, bool> HasLibrary { get; init; }

    /// <summary>The user's name.</summary>
    public required string User { get; init; }

    /// <summary>Whether the user is root.</summary>
    public required bool IsRoot { get; init; }

    /// <summary>What commands for root begin with.</summary>
    public string Sudo => IsRoot ? "" : "sudo ";

    /// <summary>A command that writes a value to a file of root's.</summary>
    public string Write(string value, string path) => IsRoot ? $"echo {value} >{path}" : $"echo {value} | sudo tee {path}";

    /// <summary>This host and this process; runs a guest of some milliseconds.</summary>
    public static DoctorHost Look() => new()
    {
        Files = new HostFiles(),
        Kvm = KvmProbe.Take("/dev/kvm"),
        Environment = System.Environment.GetEnvironmentVariable,
        MayOpen = FileCalls.MayReadAndWrite,
        HasLibrary = name =>
        {
            if (!NativeLibrary.TryLoad(name, out nint library))
                return false;
            NativeLibrary.Free(library);
            return true;
        },
        User = System.Environment.UserName,
        IsRoot = System.Environment.IsPrivilegedProcess,
    };
}
