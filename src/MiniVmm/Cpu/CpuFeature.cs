namespace MiniVmm.Cpu;

/// <summary>32 bits that are features: a register of a CPUID leaf, or the low half of an MSR that lists them.</summary>
/// <param name="Function">CPUID function (EAX in), or the number of the MSR.</param>
/// <param name="Index">CPUID index (ECX in); 0 where the leaf has none.</param>
/// <param name="Register">Which of the four answers, or <see cref="CpuidRegister.Msr"/>.</param>
public readonly record struct CpuFeatureWord(uint Function, uint Index, CpuidRegister Register);

/// <summary>A processor feature by the name that QEMU gives it.</summary>
/// <param name="Name">QEMU's spelling.</param>
/// <param name="Word">Where the processor reports it.</param>
/// <param name="Mask">Its bit there; kvmclock alone has two.</param>
public readonly record struct CpuFeature(string Name, CpuFeatureWord Word, uint Mask);
