namespace MiniVmm.Tracing;

/// <summary>Where a virtio device tells of its doorbells and requests; it costs a look where nobody traces.</summary>
/// <param name="machine">Says whether somebody does.</param>
/// <param name="device">The device's number.</param>
internal sealed class DeviceTrace(TraceSwitch machine, int device)
{
    /// <summary>Now, in <see cref="System.Diagnostics.Stopwatch"/> ticks; 0 where nobody traces.</summary>
    public long Now => machine.Current is null ? 0 : System.Diagnostics.Stopwatch.GetTimestamp();

    /// <summary>A queue's doorbell was rung.</summary>
    public void Doorbell(int queue) => machine.Current?.Doorbell(device, queue);

    /// <summary>A request is done.</summary>
    /// <param name="queue">Where it came from.</param>
    /// <param name="operation">As the device's kind numbers them.</param>
    /// <param name="address">First sector; 0 where there is none.</param>
    /// <param name="bytes">How much.</param>
    /// <param name="begun">What <see cref="Now"/> was when it was begun; 0 is not told.</param>
    public void Request(int queue, uint operation, ulong address, ulong bytes, long begun)
    {
        if (begun != 0)
            machine.Current?.Request(device, queue, operation, address, bytes, begun);
    }
}
