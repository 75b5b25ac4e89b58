namespace MiniVmm.Devices;

/// <summary>
/// A device, of MiniVmm's or of KVM's, that gives its state and takes it back: what the guest could tell by, and nothing of
/// the host's. docs/state-format.md has each device's fields.
/// </summary>
/// <remarks>
/// Called while no vCPU runs and the device's threads are parked. Options are not state: a state goes into a new device
/// that was made of the same ones, behind guest RAM that holds what it held.
/// </remarks>
public interface ISuspendable
{
    /// <summary>The kind of device, in a state's header: at most 32 letters, digits and dashes. Never changes.</summary>
    string StateName { get; }

    /// <summary>Of the fields that <see cref="Save"/> writes; from 1, and one more with each change of them.</summary>
    ushort StateVersion { get; }

    /// <summary>Writes the fields.</summary>
    void Save(StateWriter writer);

    /// <summary>Reads the fields of <see cref="StateReader.Version"/> or below, and checks each.</summary>
    /// <exception cref="StateException">
    /// They cannot be, or not on this device, which is good for nothing but to be disposed of from then on.
    /// </exception>
    void Restore(StateReader reader);
}
