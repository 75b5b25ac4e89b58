namespace MiniVmm.Devices;

/// <summary>A console that nobody reads.</summary>
internal sealed class NullSink : IConsoleSink
{
    public static readonly NullSink Instance = new();

    private NullSink()
    {
    }

    public void Write(byte value)
    {
    }
}
