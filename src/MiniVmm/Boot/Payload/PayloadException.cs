namespace MiniVmm.Boot.Payload;

/// <summary>
/// Why a kernel's payload is not unpacked here. Not an error that a person sees: the kernel's own stub does it then.
/// </summary>
internal sealed class PayloadException(string message, Exception? inner = null) : Exception(message, inner);
