using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices;

/// <summary>Keeps what the guest printed.</summary>
internal sealed class RecordingSink : IConsoleSink
{
    public List<byte> Bytes { get; } = [];

    public void Write(byte value) => Bytes.Add(value);
}

/// <summary>Counts the edges of an interrupt line.</summary>
internal sealed class RecordingInterrupt : IInterruptTrigger
{
    private int _seen;

    public int Edges { get; private set; }

    /// <summary>Edges that <see cref="Taken"/> has counted.</summary>
    public int Seen => _seen;

    public void Trigger() => Edges++;

    /// <summary>Edges since the last time it was asked.</summary>
    public int Taken()
    {
        int edges = Edges - _seen;
        _seen = Edges;
        return edges;
    }
}

/// <summary>Keeps the levels that a device put on its interrupt line.</summary>
internal sealed class RecordingLevel : ILevelInterrupt
{
    /// <summary>True for asserted, in order.</summary>
    public List<bool> Calls { get; } = [];

    public bool Asserted => Calls.Count > 0 && Calls[^1];

    /// <summary>Runs once, in the next call, before its level is on the line.</summary>
    public Action? Meanwhile { get; set; }

    public void Set(bool asserted)
    {
        Action? meanwhile = Meanwhile;
        Meanwhile = null;
        meanwhile?.Invoke();
        Calls.Add(asserted);
    }
}

/// <summary>Keeps what devices asked of the machine.</summary>
internal sealed class RecordingPower : IPowerControl
{
    public List<string> Calls { get; } = [];

    public void PowerOff() => Calls.Add("power off");

    public void Reset() => Calls.Add("reset");

    public void DebugExit(uint value) => Calls.Add($"debug exit {value:x}");
}

/// <summary>A clock that stands still until a test moves it.</summary>
internal sealed class ManualTime(DateTime utc) : TimeProvider
{
    public DateTime Utc { get; set; } = DateTime.SpecifyKind(utc, DateTimeKind.Utc);

    public TimeZoneInfo Zone { get; set; } = TimeZoneInfo.Utc;

    public override TimeZoneInfo LocalTimeZone => Zone;

    public override DateTimeOffset GetUtcNow() => new(Utc);
}

/// <summary>Accesses as a port instruction makes them: little-endian, of 1, 2, 4 or 8 bytes.</summary>
internal static class Access
{
    public static byte In(this IBusDevice device, ulong offset) => (byte)In(device, offset, 1);

    public static ulong In(this IBusDevice device, ulong offset, int width)
    {
        byte[] data = new byte[width];
        device.Read(offset, data);
        return data.Reverse().Aggregate(0UL, (value, b) => (value << 8) | b);
    }

    public static void Out(this IBusDevice device, ulong offset, ulong value, int width = 1) =>
        device.Write(offset, [.. Enumerable.Range(0, width).Select(i => (byte)(value >> (8 * i)))]);
}
