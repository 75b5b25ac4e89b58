using System.Runtime.InteropServices;
using MiniVmm.Diagnostics;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Inspection;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>What there is to say of a machine that died, or stands still.</summary>
public sealed partial class VirtualMachine
{
    private SilenceWatch? _silence;
    private long _pausedLooks;

    /// <summary>
    /// Takes a report on the vCPUs each time that the guest has printed nothing for <see cref="MachineOptions.HangAfter"/>; it goes
    /// on afterwards. Called by the thread that waits for the end; set it before.
    /// </summary>
    public Action<OptionMessage>? HangReport { get; set; }

    /// <summary>
    /// What there is to say of the end, for people: lines without a prefix; null where the reason says it all. Only after
    /// <see cref="WaitForEnd"/>.
    /// </summary>
    public OptionMessage? ExplainEnd() => Lifecycle.Reason switch
    {
        { Kind: StopKind.Crash, Value: uint vcpu } => Explain(mortem => mortem.OfDeath(Vcpus[(int)vcpu])),
        { Kind: StopKind.Timeout } => Explain(mortem => mortem.OfHang()),
        { Kind: StopKind.Interrupted } => Explain(mortem => mortem.OfVcpus()),
        { Kind: StopKind.RamUnavailable, Value: uint vcpu } =>
            (OptionMessage)$"{Backing.ExplainMissingPage((int)vcpu, Vcpus[(int)vcpu].UnavailableAddress)}\n",
        { Kind: StopKind.OutputClosed, IsHostLimit: true, Value: uint error } =>
            (OptionMessage)$"{_console.ClosedOption}: cannot be written any more: {ProcessLimit.Explain((int)error)}\n",
        { IsHostLimit: false } when UnseenScreen() is { Length: > 0 } screen => (OptionMessage)screen,
        _ => null,
    };

    private KernelImage OpenKernel() => KernelImage.Open(_options.Kernel, _options.Symbols, Memory);

    private OptionMessage Explain(Func<PostMortem, string> write)
    {
        using KernelImage kernel = OpenKernel();
        return write(new PostMortem(Vcpus, Memory, kernel) { RunAgain = RunAgain }) + UnseenScreen();
    }

    /// <summary>Where KVM reset a vCPU at its triple fault: what a second run shows of it, and how.</summary>
    private string RunAgain(VcpuThread dead, KernelImage kernel) => DeathReplay.Explain(
        _options, dead.Index, dead.Statistics.OfGuest,
        (again, recorder) => new PostMortem(again.Vcpus, again.Memory, kernel).OfRecordedDeath(again.Vcpus[dead.Index], recorder));

    /// <summary>How it ended.</summary>
    internal StopKind EndKind => Lifecycle.Reason.Kind;

    /// <summary>What is looked at now and again while the guest runs; null for nothing.</summary>
    private Func<int>? Look()
    {
        Func<int>? screen = _console.CanShowScreen ? _console.LookAtScreen : null;
        if (_options.HangAfter is not { } limit)
            return screen;
        _silence = new SilenceWatch(limit);
        return () =>
        {
            int next = screen?.Invoke() ?? -1;
            if (next < 0)
                screen = null;

            // Somebody who has paused it knows that it is silent.
            if (_silence.Look(IsPaused ? ~_pausedLooks++ : Said(), Environment.TickCount64))
                ReportHang();
            return next < 0 ? _silence.Pause : Math.Min(next, _silence.Pause);
        };
    }

    /// <summary>The same, with a second <paramref name="begun"/> once all threads have come to their work.</summary>
    private static Func<int> Settling(Action begun, Func<int>? look)
    {
        const int Settled = 200; // milliseconds
        long due = Environment.TickCount64 + Settled;
        bool isDone = false;
        return () =>
        {
            int next = look?.Invoke() ?? -1;
            if (next < 0)
                look = null;
            if (isDone)
                return next;
            int left = (int)Math.Max(due - Environment.TickCount64, 0);
            if (left > 0)
                return next < 0 ? left : Math.Min(next, left);
            begun();
            isDone = true;
            return next;
        };
    }

    /// <summary>A figure that changes with what the guest prints, and what is on its text screen.</summary>
    private long Said()
    {
        HashCode screen = default;
        screen.AddBytes(MemoryMarshal.AsBytes(_screen.Text.Cells));
        return _console.Written + ((long)screen.ToHashCode() << 32);
    }

    private void ReportHang()
    {
        try
        {
            Pause(PauseReasons.Report);
        }
        catch (HostLimitException refusal)
        {
            HangReport?.Invoke($"the guest has printed nothing for {_options.HangAfter!.Value.TotalSeconds} s, and {refusal.Text}\n");
            return;
        }

        using KernelImage kernel = OpenKernel();
        HangReport?.Invoke(
            $"the guest has printed nothing for {_options.HangAfter!.Value.TotalSeconds} s\n{new PostMortem(Vcpus, Memory, kernel).OfHang()}");
        Resume(PauseReasons.Report);
    }

    /// <summary>Screenshot and core, where asked for. One that its disk has no room for does not hide how the guest ended.</summary>
    private void WriteFiles()
    {
        try
        {
            _screenshotAtEnd?.Write(_screen.Capture());
        }
        catch (HostLimitException e)
        {
            _warn(e.Text);
        }

        try
        {
            if (_coreFile is not null && Lifecycle.Reason.Kind is StopKind.Crash or StopKind.Timeout)
                WriteCore(_coreFile);
        }
        catch (HostLimitException e)
        {
            _warn(e.Text);
        }
    }

    private void WriteCore(CoreFile file)
    {
        List<(int Index, GuestView View)> views = [];
        foreach (VcpuThread vcpu in Vcpus)
        {
            try
            {
                views.Add((vcpu.Index, VcpuSnapshot.Take(vcpu.Vcpu, Memory).View));
            }
            catch (KvmException)
            {
                // After a bug of its own KVM answers every call with EIO; the RAM is worth having all the same.
            }
        }

        file.Write(views, Memory);
    }
}
