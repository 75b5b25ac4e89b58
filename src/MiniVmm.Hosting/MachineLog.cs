using Microsoft.Extensions.Logging;
using MiniVmm.Execution;

namespace MiniVmm.Hosting;

/// <summary>What is logged of a machine; event IDs stay as they are.</summary>
internal static partial class MachineLog
{
    [LoggerMessage(1, LogLevel.Information, "{Machine}: started")]
    public static partial void Started(this ILogger logger, string machine);

    [LoggerMessage(2, LogLevel.Information, "{Machine}: paused")]
    public static partial void Paused(this ILogger logger, string machine);

    [LoggerMessage(3, LogLevel.Information, "{Machine}: resumed")]
    public static partial void Resumed(this ILogger logger, string machine);

    [LoggerMessage(4, LogLevel.Information, "{Machine}: power button pressed")]
    public static partial void PowerButtonPressed(this ILogger logger, string machine);

    [LoggerMessage(5, LogLevel.Warning, "{Machine}: the guest does not listen to the power button and is stopped")]
    public static partial void NotListening(this ILogger logger, string machine);

    [LoggerMessage(6, LogLevel.Warning, "{Machine}: the guest did not shut down within {Patience} s and is stopped")]
    public static partial void OutOfPatience(this ILogger logger, string machine, double patience);

    [LoggerMessage(7, LogLevel.Information, "{Machine}: stopped: {Reason}")]
    public static partial void Stopped(this ILogger logger, string machine, StopKind reason);

    [LoggerMessage(8, LogLevel.Error, "{Machine}: failed: {Reason} {Value}")]
    public static partial void Failed(this ILogger logger, string machine, StopKind reason, uint value);

    [LoggerMessage(9, LogLevel.Error, "{Machine}: failed: {Reason} {Value}\n{Report}")]
    public static partial void FailedWithReport(
        this ILogger logger, string machine, StopKind reason, uint value, string report);

    [LoggerMessage(10, LogLevel.Warning, "{Machine}: restarts in {Delay} s")]
    public static partial void Restarting(this ILogger logger, string machine, double delay);

    [LoggerMessage(11, LogLevel.Error, "{Machine}: cannot be started: {Problem}")]
    public static partial void CannotStart(this ILogger logger, string machine, string problem);

    [LoggerMessage(12, LogLevel.Warning, "{Machine}: {Warning}")]
    public static partial void Warned(this ILogger logger, string machine, string warning);

    [LoggerMessage(13, LogLevel.Information, "{Line}")]
    public static partial void ConsoleLine(this ILogger logger, string line);
}
