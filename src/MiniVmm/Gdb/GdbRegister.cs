namespace MiniVmm.Gdb;

/// <summary>Where a register's value is kept, of what KVM tells of a vCPU.</summary>
internal enum RegisterPart
{
    /// <summary><see cref="Kvm.kvm_regs"/>.</summary>
    General,

    /// <summary><see cref="Kvm.kvm_sregs"/>.</summary>
    Special,

    /// <summary><see cref="Kvm.kvm_fpu"/>.</summary>
    Fpu,

    /// <summary>The upper halves of the YMM registers in the XSAVE area.</summary>
    Ymm,

    /// <summary>The model-specific register that SWAPGS exchanges.</summary>
    KernelGsBase,

    /// <summary>Nowhere: reads as 0.</summary>
    None,
}

/// <summary>A register as gdb knows it.</summary>
/// <param name="Name">gdb's name.</param>
/// <param name="Bits">Its width in packets.</param>
/// <param name="Type">Its type in the target description.</param>
/// <param name="Part">Where its value is.</param>
/// <param name="Offset">First byte there.</param>
/// <param name="Size">Bytes there: what is more in packets is zero, what is less is its low end.</param>
/// <param name="Group">gdb's group, where the type does not say it; or null.</param>
internal sealed record GdbRegister(
    string Name, int Bits, string Type, RegisterPart Part, int Offset, int Size, string? Group = null)
{
    /// <summary>Bytes in packets.</summary>
    public int Bytes => Bits / 8;

    /// <summary>First byte among all registers, as <c>g</c> has them.</summary>
    public int Place { get; init; }
}

/// <summary>Registers that belong together, by a name of gdb's or, where it has none, of our own.</summary>
internal sealed record RegisterFeature(string Name, IReadOnlyList<GdbRegister> Registers);
