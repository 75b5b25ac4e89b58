namespace MiniVmm.Tracing;

/// <summary>Where a machine's parts look whether somebody traces them.</summary>
internal sealed class TraceSwitch
{
    private volatile TraceSession? _current;

    /// <summary>The session; null while nobody traces.</summary>
    public TraceSession? Current
    {
        get => _current;
        set => _current = value;
    }
}
