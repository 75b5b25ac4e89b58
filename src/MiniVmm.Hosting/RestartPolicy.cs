using MiniVmm.Execution;

namespace MiniVmm.Hosting;

/// <summary>Whether a machine that ended by itself is started again.</summary>
public enum RestartPolicy
{
    Never,

    /// <summary>
    /// After any end but a power-off, a halt for good, a debug exit of 0, and one that was asked for: a guest that reboots
    /// comes back, as does one whose kernel is set to reboot after a panic.
    /// </summary>
    OnFailure,

    /// <summary>After any end that was not asked for.</summary>
    Always,
}

/// <summary>What a policy makes of an end.</summary>
internal static class RestartPolicies
{
    public static bool Restarts(this RestartPolicy policy, StopReason reason) => policy switch
    {
        RestartPolicy.Never => false,
        RestartPolicy.Always => true,
        _ => IsFailure(reason) || reason.Kind == StopKind.Reset,
    };

    /// <summary>Whether the guest, or the host under it, failed.</summary>
    public static bool IsFailure(StopReason reason) =>
        reason is not ({ Kind: StopKind.PowerOff or StopKind.Reset or StopKind.Halted } or { Kind: StopKind.DebugExit, Value: 0 });
}
