namespace MiniVmm.Cpu;

/// <summary>The leaves by which a guest finds KVM and what it offers (Documentation/virt/kvm/x86/cpuid.rst).</summary>
internal static class KvmSignature
{
    /// <summary>The leaf of the signature, and of the last leaf.</summary>
    public const uint First = 0x40000000;

    /// <summary>The leaf of features and hints.</summary>
    public const uint Features = 0x40000001;

    /// <summary>The last leaf that a hypervisor may have.</summary>
    public const uint Last = 0x4FFFFFFF;

    /// <summary>"KVMKVMKVM" with three zeros.</summary>
    public static CpuidLeaf Leaf { get; } = new(First, 0, Features, 0x4b4d564b, 0x564b4d56, 0x4d, false);

    public static bool Contains(uint function) => function is >= First and <= Last;
}
