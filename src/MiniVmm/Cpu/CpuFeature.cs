namespace MiniVmm.Cpu;

/// <summary>A register of a CPUID leaf whose bits are features.</summary>
/// <param name="Function">CPUID function (EAX in).</param>
/// <param name="Index">CPUID index (ECX in); 0 where the leaf has none.</param>
/// <param name="Register">Which of the four answers.</param>
public readonly record struct CpuFeatureWord(uint Function, uint Index, CpuidRegister Register);

/// <summary>A processor feature by the name that QEMU gives it.</summary>
/// <param name="Name">QEMU's spelling.</param>
/// <param name="Word">Where CPUID reports it.</param>
/// <param name="Mask">Its bit there; kvmclock alone has two.</param>
public readonly record struct CpuFeature(string Name, CpuFeatureWord Word, uint Mask);
