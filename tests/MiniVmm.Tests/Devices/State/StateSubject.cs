using System.Globalization;
using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices.State;

/// <summary>A device that gives its state, with all that it needs around it.</summary>
internal abstract class StateSubject : IDisposable
{
    public abstract ISuspendable Device { get; }

    /// <summary>Brings the device into some state that is not the one it began in.</summary>
    public abstract void Prepare(Random random);

    /// <summary>Has the guest and the host use the device for a while.</summary>
    /// <returns>All that came of it, for both to see.</returns>
    public abstract IReadOnlyList<string> Use(Random random);

    /// <summary>A new device of the same options, in the same RAM and at the same time.</summary>
    public abstract StateSubject Another();

    public abstract void Dispose();
}

/// <summary>A device of a bus, which guest and host use by chance.</summary>
/// <param name="make">Makes it.</param>
/// <param name="length">Of its window.</param>
/// <param name="host">What the host does with it, beside letting time go on.</param>
internal sealed class BusSubject(
    Func<BusSubject, IBusDevice> make, int length, Action<IBusDevice, Random>? host = null) : StateSubject
{
    private const int Steps = 400;
    private IBusDevice? _device;

    public RecordingSink Sink { get; } = new();

    public RecordingInterrupt Line { get; } = new();

    public RecordingLevel Sci { get; } = new();

    public RecordingPower Power { get; } = new();

    public ManualTime Clock { get; private init; } = new(new DateTime(2026, 2, 28, 23, 59, 50));

    public override ISuspendable Device => (ISuspendable)Made;

    private IBusDevice Made => _device ??= make(this);

    public override void Prepare(Random random) => Use(random);

    public override IReadOnlyList<string> Use(Random random)
    {
        List<string> seen = [];
        for (int i = 0; i < Steps; i++)
        {
            int edges = Line.Edges;
            int sent = Sink.Bytes.Count;
            int calls = Power.Calls.Count;
            string what = Step(random);
            string text = string.Join(',', Sink.Bytes.Skip(sent));
            string power = string.Join(',', Power.Calls.Skip(calls));
            seen.Add(string.Create(
                CultureInfo.InvariantCulture, $"{i}: {what}; {Line.Edges - edges} edges; level {Sci.Asserted}; [{text}]; {power}"));
        }

        return seen;
    }

    public override StateSubject Another() =>
        new BusSubject(make, length, host) { Clock = new ManualTime(Clock.Utc) };

    public override void Dispose()
    {
        // Nothing of the host's.
    }

    private string Step(Random random)
    {
        int width = Math.Min(1 << random.Next(3), length);
        ulong offset = (ulong)random.Next(length - width + 1);
        switch (random.Next(10))
        {
            case 0:
                Clock.Utc += TimeSpan.FromTicks(random.Next(100_000_000));
                return "time";
            case 1 when host is not null:
                host(Made, random);
                return "host";
            case < 6:
                return string.Create(CultureInfo.InvariantCulture, $"{offset}+{width} is {Made.In(offset, width):x}");
            default:
                // Small numbers are what registers' indices and commands are.
                ulong value = random.Next(2) == 0 ? (ulong)random.Next(32) : (ulong)random.NextInt64();
                Made.Out(offset, value, width);
                return string.Create(CultureInfo.InvariantCulture, $"{offset}+{width} := {value:x}");
        }
    }
}
