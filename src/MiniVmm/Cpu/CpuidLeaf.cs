namespace MiniVmm.Cpu;

/// <summary>What CPUID answers to one function and index.</summary>
/// <param name="Function">The value of EAX that asks for it.</param>
/// <param name="Index">The value of ECX that asks for it, where that counts.</param>
/// <param name="Eax">Answer in EAX.</param>
/// <param name="Ebx">Answer in EBX.</param>
/// <param name="Ecx">Answer in ECX.</param>
/// <param name="Edx">Answer in EDX.</param>
/// <param name="IndexIsSignificant">KVM_CPUID_FLAG_SIGNIFCANT_INDEX: ECX chooses among several answers.</param>
internal readonly record struct CpuidLeaf(
    uint Function, uint Index, uint Eax, uint Ebx, uint Ecx, uint Edx, bool IndexIsSignificant)
{
    /// <summary>One register of the answer.</summary>
    public uint this[CpuidRegister register] => register switch
    {
        CpuidRegister.Eax => Eax,
        CpuidRegister.Ebx => Ebx,
        CpuidRegister.Ecx => Ecx,
        _ => Edx,
    };

    /// <summary>The same leaf with one register replaced.</summary>
    public CpuidLeaf With(CpuidRegister register, uint value) => register switch
    {
        CpuidRegister.Eax => this with { Eax = value },
        CpuidRegister.Ebx => this with { Ebx = value },
        CpuidRegister.Ecx => this with { Ecx = value },
        _ => this with { Edx = value },
    };
}

/// <summary>The registers that CPUID answers in.</summary>
public enum CpuidRegister
{
    Eax,
    Ebx,
    Ecx,
    Edx,

    /// <summary>None of them: the low half of an MSR, whose features CPUID only announces.</summary>
    Msr,
}
