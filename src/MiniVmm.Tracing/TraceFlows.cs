namespace MiniVmm.Tracing.Files;

/// <summary>A step on the way from a doorbell to the interrupt.</summary>
/// <param name="Id">Tells ways apart.</param>
/// <param name="IsFirst">It begins here.</param>
/// <param name="IsLast">It ends here.</param>
internal readonly record struct TraceFlow(int Id, bool IsFirst, bool IsLast);

/// <summary>
/// Ways through a virtio device: its doorbell, the requests that are done then, the interrupt that tells of them. Each doorbell
/// that comes while no way is open begins one, and the device's next interrupt ends it.
/// </summary>
internal sealed class TraceFlows
{
    private readonly List<(string Device, int Id)> _open = [];
    private int _made;

    /// <summary>The step that an event is; null for none.</summary>
    public TraceFlow? Of(TraceRecord record)
    {
        if (record.Device is not { } device || record.Event.Kind < TraceEventKind.Interrupt)
            return null;
        int at = _open.FindIndex(way => way.Device == device);
        if (record.Event.Kind == TraceEventKind.Interrupt)
        {
            if (at < 0)
                return null;
            int id = _open[at].Id;
            _open.RemoveAt(at);
            return new(id, IsFirst: false, IsLast: true);
        }

        if (at >= 0)
            return new(_open[at].Id, IsFirst: false, IsLast: false);
        _open.Add((device, ++_made));
        return new(_made, IsFirst: true, IsLast: false);
    }
}
