using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Kvm;

namespace MiniVmm.Measurement;

/// <summary>
/// Measures exits: one machine, every loop in every round, in an order that is shuffled anew for each round, so that
/// a drift of the host meets all loops alike.
/// </summary>
public sealed class ExitMeasurement
{
    // A partner lets the guest halt or get busy before it acts.
    internal static readonly TimeSpan PartnerDelay = TimeSpan.FromMicroseconds(50);

    // Turns of the empty loop that tell what an instruction takes: they outweigh what an entry varies by.
    private const int InstructionTurns = 5000;

    private readonly MeasurementSettings _settings;
    private readonly Action<double> _progress;
    private readonly CancellationToken _cancellation;
    private readonly List<LoopTally> _tallies;
    private readonly LoopTally _nothing;
    private readonly ExitTimes[] _times;
    private readonly long[] _stamps;
    private readonly TscClock _clock = Tsc.StartClock();
    private readonly double _hertz;
    private Distribution? _hostHarness;
    private string? _noStatistics;
    private long _longRun;
    private long _shortRun;
    private long _step;

    private ExitMeasurement(MeasurementSettings settings, Action<double> progress, CancellationToken cancellation)
    {
        _settings = settings;
        _progress = progress;
        _cancellation = cancellation;
        _ = cancellation.WaitHandle.WaitOne(50); // for a frequency that is good to some parts in a million
        _hertz = _clock.Hertz;
        double tick = 1e9 / _hertz;
        _tallies = [.. settings.Loops.Select(loop => new LoopTally(loop, tick))];
        _nothing = new LoopTally(ExitLoop.Nothing, tick);

        int turns = Turns(ExitLoop.Nothing, 0); // no round has more
        _times = GC.AllocateUninitializedArray<ExitTimes>(turns + (2 * ExitLoop.StringLength), pinned: true);
        _stamps = GC.AllocateUninitializedArray<long>(turns, pinned: true);
    }

    /// <summary>Measures, on a thread of its own.</summary>
    /// <param name="settings">What and how.</param>
    /// <param name="progress">Receives how much of it is done, from 0 to 1; called from that thread, between runs.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="HostLimitException">A thread cannot be pinned.</exception>
    /// <exception cref="KvmException">There is no usable KVM.</exception>
    public static ExitReport Run(
        MeasurementSettings settings, Action<double> progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(settings);
        EnvironmentStamp environment = EnvironmentStamp.Read(new HostFiles(), settings.Pin, TimeProvider.System);
        ExitMeasurement measurement = new(settings, progress, cancellation);
        Exception? failure = null;
        Thread thread = new(() => failure = measurement.Main(), maxStackSize: 1024 * 1024) { Name = "vcpu0" };
        thread.Start();
        thread.Join();
        if (failure is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        return measurement.Report(environment);
    }

    private Exception? Main()
    {
        try
        {
            if (_settings.Pin.Count > 0)
                PinList.PinThisThread(_settings.Pin[0], "the vCPU");
            using KvmSystem kvm = KvmSystem.Open();
            using ExitRig rig = new(kvm, new ExitGuest());
            _noStatistics = rig.NoStatistics;
            using CancellationTokenRegistration interrupt = _cancellation.Register(rig.Interrupt);
            using DisturbingThread? disturbance = DisturbingThread.Start(_settings);
            foreach (LoopTally tally in _tallies)
                tally.Missing = rig.Missing(tally.Loop);
            MeasureHarness();
            MeasureRounds(rig);
            return null;
        }
#pragma warning disable CA1031 // whatever it is, the thread that waits for this one throws it again
        catch (Exception e)
#pragma warning restore CA1031
        {
            return e;
        }
    }

    private void MeasureRounds(ExitRig rig)
    {
        Random order = new(_settings.Seed);
        LoopTally[] tallies = [.. _tallies];
        int steps = _settings.Rounds * (tallies.Length + 1);
        int step = 0;
        for (int round = 0; round < _settings.Rounds; round++)
        {
            if (_nothing.Missing is null)
                Measure(rig, _nothing, round);
            _progress((double)++step / steps);
            order.Shuffle(tallies);
            foreach (LoopTally tally in tallies)
            {
                _cancellation.ThrowIfCancellationRequested();
                if (tally.Missing is null && _settings.Samples(tally.Loop, round) > 0)
                    Measure(rig, tally, round);
                _progress((double)++step / steps);
            }
        }
    }

    private void Measure(ExitRig rig, LoopTally tally, int round)
    {
        try
        {
            ExitLoop loop = tally.Loop;
            if (loop == ExitLoop.Nothing)
                MeasureInstruction(rig);
            if (loop.Clock == LoopClock.Call)
                MeasureCalls(rig, tally, round);
            if (loop.Clock is LoopClock.Host or LoopClock.Partner)
                MeasurePlain(rig, tally, round);
            if (loop.Clock is LoopClock.Host or LoopClock.Guest)
                MeasureTimed(rig, tally, round);
        }
        catch (MeasurementException e)
        {
            tally.Missing = e.Message;
        }
    }

    private void MeasureCalls(ExitRig rig, LoopTally tally, int round)
    {
        int turns = Turns(tally.Loop, round);
        Span<ExitTimes> times = _times.AsSpan(0, turns);
        tally.Count(rig.RunImmediateExits(times), turns);
        tally.BeginRound();
        foreach (ref readonly ExitTimes time in times[Warmup(tally.Loop)..])
            tally.Record(time.Out - time.In);
        tally.EndRound();
    }

    private void MeasurePlain(ExitRig rig, LoopTally tally, int round)
    {
        int turns = Turns(tally.Loop, round);
        int warmup = Warmup(tally.Loop);
        bool byPartner = tally.Loop.Clock == LoopClock.Partner;
        RunResult result = Run(rig, tally, LoopForm.Plain, turns);

        // The last exit is the one that ended the loop; of a kicked one, the last kick.
        int exits = byPartner ? Math.Min(turns, result.Exits) : result.Exits - 1;
        exits = Math.Min(exits, warmup + _settings.Samples(tally.Loop, round)); // a last turn may make more than were asked
        tally.BeginRound();
        for (int i = warmup; i < exits; i++)
        {
            ref ExitTimes time = ref _times[i];
            if (byPartner)
            {
                tally.Record(time.Out - _stamps[i]);
                continue;
            }

            long next = _times[i + 1].In;
            tally.Record(next - time.In);
            tally.RecordSplit(time, next);
        }

        tally.EndRound();
    }

    private void MeasureTimed(ExitRig rig, LoopTally tally, int round)
    {
        int turns = Turns(tally.Loop, round);
        Run(rig, tally, LoopForm.Timed, turns);
        ReadOnlySpan<uint> samples = rig.Samples(turns)[_settings.WarmupTurns(tally.Loop)..];
        bool onlyClock = tally.Loop.Clock == LoopClock.Guest;
        if (onlyClock)
            tally.BeginRound();
        foreach (uint sample in samples)
        {
            tally.RecordGuest(sample / tally.Loop.MostExits);
            if (onlyClock)
                tally.Record(sample);
        }

        if (onlyClock)
            tally.EndRound();
    }

    /// <summary>The empty loop, long and short: the difference is instructions alone. The quickest counts.</summary>
    private void MeasureInstruction(ExitRig rig)
    {
        long shortRun = RunNothing(rig, 1);
        long longRun = RunNothing(rig, 1 + InstructionTurns);
        _shortRun = _shortRun == 0 ? shortRun : Math.Min(_shortRun, shortRun);
        _longRun = _longRun == 0 ? longRun : Math.Min(_longRun, longRun);
    }

    private long RunNothing(ExitRig rig, int turns)
    {
        _ = rig.Run(ExitLoop.Nothing, LoopForm.Plain, turns, _times, partner: null);
        return _times[0].Out - _times[0].In;
    }

    /// <summary>Nanoseconds of one of the empty loop's two instructions; null where it did not run.</summary>
    private double? GuestInstruction() => _longRun == 0
        ? null
        : Math.Max(0, _longRun - _shortRun) / (2.0 * InstructionTurns) / _hertz * 1e9;

    private RunResult Run(ExitRig rig, LoopTally tally, LoopForm form, int turns)
    {
        ExitLoop loop = tally.Loop;
        int? cpu = _settings.Pin.Count > 1 ? _settings.Pin[1] : null;
        long delay = (long)(PartnerDelay.TotalSeconds * _hertz);
        IPartner? partner = rig.Partner(loop, turns, _stamps, delay, cpu);
        RunResult result = rig.Run(loop, form, turns, _times, partner);
        tally.Count(result, turns);
        return result;
    }

    /// <summary>What the readings of the clock cost where nothing lies between them.</summary>
    private unsafe void MeasureHarness()
    {
        long entries;
        int turns = Math.Min(_times.Length, 100_000);
        fixed (ExitTimes* room = _times)
        {
            LatencyProbe probe = new(room, turns, &entries);
            for (int i = 0; i < turns; i++)
            {
                probe.Entering();
                probe.Exited();
                probe.Decoded();
                probe.Served();
            }
        }

        _hostHarness = new Distribution(1e9 / _hertz);
        for (int i = turns / 2; i < turns - 1; i++)
        {
            _hostHarness.Record(_times[i + 1].In - _times[i].In);
            long step = _times[i].Out - _times[i].In;
            if (step > 0 && (_step == 0 || step < _step))
                _step = step;
        }
    }

    private int Turns(ExitLoop loop, int round) => _settings.SampleTurns(loop, round) + _settings.WarmupTurns(loop);

    /// <summary>Samples at the start of a run that do not count.</summary>
    private int Warmup(ExitLoop loop) => _settings.WarmupTurns(loop) * loop.MostExits;

    private ExitReport Report(EnvironmentStamp environment) => new()
    {
        Settings = _settings,
        Environment = environment,
        TscHertz = _clock.Hertz,
        GuestInstruction = GuestInstruction(),
        TscStep = _step / _hertz * 1e9,
        HostHarness = _hostHarness!,
        GuestHarness = _nothing.Guest,
        Loops = [.. _tallies.Select(tally => tally.Result())],
        NoStatistics = _noStatistics,
    };
}
