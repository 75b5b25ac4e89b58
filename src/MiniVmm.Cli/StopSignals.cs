using System.Runtime.InteropServices;
using MiniVmm.Execution;
using MiniVmm.Machine;

namespace MiniVmm.Cli;

/// <summary>
/// The signals that end a machine in order, from now on until it is disposed of. One that comes while the machine is
/// being built ends it as soon as it is there, so that what was set up on the host is undone; a second one does not wait.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    private readonly Lock _lock = new();
    private readonly PosixSignalRegistration[] _registrations;
    private VirtualMachine? _machine;
    private bool _signalled;
    private ManualResetEventSlim? _came; // of somebody who waits

    /// <param name="areGdbs">Whether those of the terminal's keys are for gdb, which runs on it too: they end nothing here.</param>
    public StopSignals(bool areGdbs = false)
    {
        PosixSignal[] keys = [PosixSignal.SIGINT, PosixSignal.SIGQUIT];
        PosixSignal[] others = [PosixSignal.SIGTERM, PosixSignal.SIGHUP];
        Action<PosixSignalContext> pass = context => context.Cancel = true;
        _registrations =
        [
            .. keys.Select(signal => PosixSignalRegistration.Create(signal, areGdbs ? pass : Handle)),
            .. others.Select(signal => PosixSignalRegistration.Create(signal, Handle)),
        ];
    }

    /// <summary>Whether one has come.</summary>
    public bool HaveCome
    {
        get
        {
            lock (_lock)
                return _signalled;
        }
    }

    /// <summary>Waits until one has come, also where there is no machine any more.</summary>
    public void Wait()
    {
        using ManualResetEventSlim came = new();
        lock (_lock)
        {
            if (_signalled)
                return;
            _came = came;
        }

        came.Wait();
        lock (_lock)
            _came = null;
    }

    /// <summary>Names the machine to end.</summary>
    public void Attach(VirtualMachine machine)
    {
        lock (_lock)
        {
            _machine = machine;
            if (_signalled)
                Stop(machine);
        }
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
    }

    private static void Stop(VirtualMachine machine) => machine.Stop(new(StopKind.Interrupted));

    private void Handle(PosixSignalContext context)
    {
        lock (_lock)
        {
            context.Cancel = _machine is not null || !_signalled;
            _signalled = true;
            _came?.Set();
            if (_machine is not null)
                Stop(_machine);
        }
    }
}
