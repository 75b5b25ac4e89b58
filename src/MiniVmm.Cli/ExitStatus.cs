using MiniVmm.Devices;
using MiniVmm.Execution;

namespace MiniVmm.Cli;

/// <summary>
/// The process exit statuses: odd numbers are the guest's, even ones MiniVmm's.
/// </summary>
internal static class ExitStatus
{
    /// <summary>The guest powered off or rebooted.</summary>
    public const int Success = 0;

    /// <summary><c>minivmm test</c>: a test did not pass, or nothing ran. Odd, as it is the guests'.</summary>
    public const int TestsFailed = 1;

    /// <summary>Bad arguments or an unusable input file.</summary>
    public const int BadInput = 2;

    /// <summary>The host cannot: no /dev/kvm, no permission, no huge pages, …</summary>
    public const int HostLimit = 4;

    /// <summary>The guest crashed: triple fault, KVM internal error, failed entry.</summary>
    public const int GuestCrash = 6;

    /// <summary>
    /// <c>minivmm bench</c>: the kernel counted other exits than were measured, so that the figures mean nothing. Its
    /// own status, since neither the host nor the guest is at fault.
    /// </summary>
    public const int Untrusted = 8;

    /// <summary><c>--timeout</c> ran out.</summary>
    public const int Timeout = 124;

    /// <summary>SIGINT or SIGTERM, or Ctrl-A x.</summary>
    public const int Interrupted = 130;

    /// <summary>What a machine's end is to the caller of <c>minivmm run</c>.</summary>
    public static int Of(StopReason reason) => reason.Kind switch
    {
        StopKind.PowerOff or StopKind.Reset or StopKind.Halted => Success,
        StopKind.DebugExit => FromDebugExit(reason.Value),
        StopKind.Crash => GuestCrash,
        StopKind.Timeout => Timeout,
        _ => reason.IsHostLimit ? HostLimit : Interrupted,
    };

    /// <summary>What an error is to the caller.</summary>
    public static int Of(VmmException error) => error is BadInputException or StateException ? BadInput : HostLimit;

    /// <summary>What a guest that writes <paramref name="value"/> to the debug-exit port ends with.</summary>
    /// <remarks>QEMU's isa-debug-exit: (value &lt;&lt; 1) | 1, of which the host keeps the low 8 bits.</remarks>
    public static int FromDebugExit(uint value) => (int)(((value << 1) | 1) & 0xff);
}
