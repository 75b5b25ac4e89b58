using MiniVmm.Execution;

namespace MiniVmm.Measurement;

/// <summary>Does on purpose what spoils a measurement, for the experiments of docs/exit-latency.md.</summary>
internal sealed class DisturbingThread : IDisposable
{
    private readonly Thread _thread;
    private bool _stop;

    private DisturbingThread(Disturbance kind, int? cpu)
    {
        _thread = new Thread(() => Disturb(kind, cpu)) { IsBackground = true, Name = "disturbance" };
        _thread.Start();
    }

    /// <summary>The survivors of the allocations: something for the collector to mark and to move.</summary>
    private byte[][] Kept { get; } = new byte[4096][];

    /// <summary>Starts what the settings ask for, if anything.</summary>
    public static DisturbingThread? Start(MeasurementSettings settings) => settings.Disturbance switch
    {
        Disturbance.None => null,
        Disturbance.Neighbour => new(settings.Disturbance, settings.Pin.Count > 0 ? settings.Pin[0] : null),
        _ => new(settings.Disturbance, settings.Pin.Count > 1 ? settings.Pin[1] : null),
    };

    public void Dispose()
    {
        Volatile.Write(ref _stop, true);
        _thread.Join();
    }

    private void Disturb(Disturbance kind, int? cpu)
    {
        if (cpu is { } host)
            PinList.PinThisThread(host, "the disturbance");
        else
            PinList.UnpinThisThread();
        for (int i = 0; !Volatile.Read(ref _stop); i++)
        {
            if (kind == Disturbance.Gc)
                Kept[i % Kept.Length] = new byte[64 + (i % 2048)];
        }
    }
}
