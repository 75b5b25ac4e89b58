namespace MiniVmm.Execution;

/// <summary>One exit of a vCPU's last ones.</summary>
/// <param name="Kind">What it came out for.</param>
/// <param name="Reason">KVM_EXIT_*.</param>
/// <param name="Size">Bytes an item; 0 for an exit without data.</param>
/// <param name="Count">Items.</param>
/// <param name="Address">Port or guest-physical address.</param>
/// <param name="Value">The first item, as it was written, or as the device gave it.</param>
internal readonly record struct ExitRecord(ExitKind Kind, uint Reason, int Size, uint Count, ulong Address, ulong Value);
