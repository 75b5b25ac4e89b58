namespace MiniVmm.Measurement;

/// <summary>A loop that could not be measured; the message says why, and others may be.</summary>
public sealed class MeasurementException(string message) : Exception(message);
