using System.Globalization;
using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Compare;

/// <summary>One return from KVM_RUN, as a monitor's trace tells of it.</summary>
internal readonly record struct ComparedExit
{
    public required int Vcpu { get; init; }

    /// <summary>KVM_EXIT_*; KVM_EXIT_INTR where KVM_RUN returned EINTR.</summary>
    public required KvmExitReason Reason { get; init; }

    /// <summary>Whether the trace says what was accessed. QEMU's does not where no device takes an access of that size.</summary>
    public bool IsAccess { get; init; }

    public bool IsWrite { get; init; }

    /// <summary>Port or guest-physical address.</summary>
    public ulong Address { get; init; }

    /// <summary>Bytes of an item.</summary>
    public byte Size { get; init; }

    /// <summary>Items: of a string instruction, or into which QEMU split an access.</summary>
    public uint Count { get; init; }

    /// <summary>The first item.</summary>
    public ulong Value { get; init; }

    /// <summary>MiniVmm's name of the device, or that of QEMU's memory region; null where nobody claims the access.</summary>
    public string? Device { get; init; }

    /// <summary>Nanoseconds inside KVM_RUN before it.</summary>
    public long Ran { get; init; }

    /// <summary>Nanoseconds from it to the next KVM_RUN of the vCPU.</summary>
    public long Took { get; init; }

    public bool IsPort => Reason == KvmExitReason.KVM_EXIT_IO;

    /// <summary>Whether both are the same kind of exit for the same place; values may differ.</summary>
    public bool IsLike(in ComparedExit other) =>
        (Reason, IsAccess, IsWrite, Address, Size) == (other.Reason, other.IsAccess, other.IsWrite, other.Address, other.Size);

    /// <summary>Without its values: "out 3f8", "read fed00000", "hlt".</summary>
    public override string ToString()
    {
        string name = Reason.ToString();
        string reason = name.StartsWith("KVM_EXIT_", StringComparison.Ordinal) ? name["KVM_EXIT_".Length..].ToLowerInvariant() : $"exit {name}";
        if (!IsAccess)
            return reason == "intr" ? "kick" : reason;
        string way = IsPort ? IsWrite ? "out" : "in" : IsWrite ? "write" : "read";
        return $"{way} {Address.ToString("x", CultureInfo.InvariantCulture)}";
    }
}
