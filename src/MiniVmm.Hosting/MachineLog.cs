using Microsoft.Extensions.Logging;
using MiniVmm.Execution;

namespace MiniVmm.Hosting;

/// <summary>What is logged of a machine, with options as its configuration names them; event IDs stay as they are.</summary>
/// <param name="name">The service's name.</param>
/// <param name="loggers">Makes the three logs, of the machine's events, of its console and of its traces.</param>
internal sealed partial class MachineLog(string name, ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger($"MiniVmm.{name}");
    private readonly ILogger _console = loggers.CreateLogger($"MiniVmm.{name}.Console");
    private readonly ILogger _trace = loggers.CreateLogger($"MiniVmm.{name}.Trace");
    private readonly Func<NamedOption, string> _spell = MachineConfiguration.SpellingFor(name);

    /// <summary>An error in one line.</summary>
    public string Explain(Exception e) => PlainText.Of(e is VmmException vmm ? vmm.Text.Spelled(_spell) : e.Message);

    public void Started() => Started(_logger, name);

    public void Paused() => Paused(_logger, name);

    public void Resumed() => Resumed(_logger, name);

    public void PowerButtonPressed() => PowerButtonPressed(_logger, name);

    public void NotListening() => NotListening(_logger, name);

    public void OutOfPatience(TimeSpan patience) => OutOfPatience(_logger, name, patience.TotalSeconds);

    public void CannotPress(Exception e) => CannotPress(_logger, name, Explain(e));

    public void Stopped(StopKind reason) => Stopped(_logger, name, reason);

    /// <summary>A failed run, and a line for each of its report's.</summary>
    public void Failed(StopReason end, OptionMessage? report)
    {
        Failed(_logger, name, end.Kind, end.Value);
        foreach (string line in report?.Spelled(_spell).Split('\n', StringSplitOptions.RemoveEmptyEntries) ?? [])
            Report(_logger, name, PlainText.Of(line));
    }

    /// <summary>An error that is MiniVmm's.</summary>
    public void Failed(Exception e) => Broken(_logger, name, e);

    public void Restarting(TimeSpan delay) => Restarting(_logger, name, delay.TotalSeconds);

    public void CannotStart(string problem) => CannotStart(_logger, name, problem);

    public void Warn(OptionMessage warning) => Warned(_logger, name, PlainText.Of(warning.Spelled(_spell)));

    /// <summary>An error of the application's, in what it does when the state changes.</summary>
    public void HandlerFailed(Exception e) => HandlerFailed(_logger, name, e);

    /// <summary>A command by the control socket.</summary>
    public void CommandFailed(Exception e) => CommandFailed(_logger, name, Explain(e));

    public void CannotListen(Exception e) => CannotListen(_logger, name, Explain(e));

    public void ConsoleLine(string line) => ConsoleLine(_console, line);

    public void TraceLine(string line) => TraceLine(_trace, line);

    [LoggerMessage(1, LogLevel.Information, "{Machine}: started")]
    private static partial void Started(ILogger logger, string machine);

    [LoggerMessage(2, LogLevel.Information, "{Machine}: paused")]
    private static partial void Paused(ILogger logger, string machine);

    [LoggerMessage(3, LogLevel.Information, "{Machine}: resumed")]
    private static partial void Resumed(ILogger logger, string machine);

    [LoggerMessage(4, LogLevel.Information, "{Machine}: power button pressed")]
    private static partial void PowerButtonPressed(ILogger logger, string machine);

    [LoggerMessage(5, LogLevel.Warning, "{Machine}: the guest does not listen to the power button and is stopped")]
    private static partial void NotListening(ILogger logger, string machine);

    [LoggerMessage(6, LogLevel.Warning, "{Machine}: the guest did not shut down within {Patience} s and is stopped")]
    private static partial void OutOfPatience(ILogger logger, string machine, double patience);

    [LoggerMessage(7, LogLevel.Information, "{Machine}: stopped: {Reason}")]
    private static partial void Stopped(ILogger logger, string machine, StopKind reason);

    [LoggerMessage(8, LogLevel.Error, "{Machine}: failed: {Reason} {Value}")]
    private static partial void Failed(ILogger logger, string machine, StopKind reason, uint value);

    [LoggerMessage(9, LogLevel.Error, "{Machine}: {Line}")]
    private static partial void Report(ILogger logger, string machine, string line);

    [LoggerMessage(10, LogLevel.Warning, "{Machine}: restarts in {Delay} s")]
    private static partial void Restarting(ILogger logger, string machine, double delay);

    [LoggerMessage(11, LogLevel.Error, "{Machine}: cannot be started: {Problem}")]
    private static partial void CannotStart(ILogger logger, string machine, string problem);

    [LoggerMessage(12, LogLevel.Warning, "{Machine}: {Warning}")]
    private static partial void Warned(ILogger logger, string machine, string warning);

    [LoggerMessage(13, LogLevel.Information, "{Line}")]
    private static partial void ConsoleLine(ILogger logger, string line);

    [LoggerMessage(19, LogLevel.Information, "{Line}")]
    private static partial void TraceLine(ILogger logger, string line);

    [LoggerMessage(14, LogLevel.Warning, "{Machine}: the power button cannot be pressed, and the guest is stopped: {Problem}")]
    private static partial void CannotPress(ILogger logger, string machine, string problem);

    [LoggerMessage(15, LogLevel.Error, "{Machine}: failed by an error of MiniVmm")]
    private static partial void Broken(ILogger logger, string machine, Exception error);

    [LoggerMessage(16, LogLevel.Error, "{Machine}: the application failed when the state changed")]
    private static partial void HandlerFailed(ILogger logger, string machine, Exception error);

    [LoggerMessage(17, LogLevel.Error, "{Machine}: a command of minivmm ctl failed: {Problem}")]
    private static partial void CommandFailed(ILogger logger, string machine, string problem);

    [LoggerMessage(18, LogLevel.Warning, "{Machine}: minivmm ps and ctl do not see it: {Problem}")]
    private static partial void CannotListen(ILogger logger, string machine, string problem);
}
