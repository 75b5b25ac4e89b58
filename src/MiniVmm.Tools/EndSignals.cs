using System.Runtime.InteropServices;

namespace MiniVmm.Tools;

/// <summary>The signals that end a command in order, as a run of tests; a second one does not wait.</summary>
internal sealed class EndSignals : IDisposable
{
    // Never disposed of: a signal's handler may still run when its registration is gone.
    private readonly CancellationTokenSource _cancellation = new();
    private readonly PosixSignalRegistration[] _registrations;

    public EndSignals()
    {
        PosixSignal[] signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT];
        _registrations = [.. signals.Select(signal => PosixSignalRegistration.Create(signal, Handle))];
    }

    /// <summary>Cancelled by the first one.</summary>
    public CancellationToken Cancellation => _cancellation.Token;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = !_cancellation.IsCancellationRequested;
        _cancellation.Cancel();
    }
}
