namespace MiniVmm.Passthrough;

/// <summary>A PCI function of the host that is handed to the guest.</summary>
/// <param name="Host">Where it is on the host.</param>
public sealed record PassthroughOptions(HostPciAddress Host)
{
    /// <summary>Whether it was given as a network card, in which case errors name that option.</summary>
    public bool IsNet { get; init; }

    /// <summary>Whether it must be reset before and after; a device that cannot be keeps what the last user left in it.</summary>
    public bool Reset { get; init; } = true;

    /// <summary>The option as errors name it.</summary>
    internal NamedOption Subject => (IsNet ? OptionName.Net : OptionName.Device).With($"vfio={Host}");
}
