namespace MiniVmm.Devices;

/// <summary>A saved state that cannot be restored: damaged, of another device, or from a newer MiniVmm.</summary>
public sealed class StateException(string message) : VmmException(message);
