using System.Runtime.InteropServices;

namespace MiniVmm.Teaching.Explain;

/// <summary>Whose a call is.</summary>
internal enum CallTarget
{
    /// <summary>/dev/kvm.</summary>
    Kvm,

    /// <summary>The machine.</summary>
    Vm,

    /// <summary>One of its vCPUs.</summary>
    Vcpu,

    /// <summary>A file that is not known here.</summary>
    Other,
}

/// <summary>An ioctl as it was made.</summary>
/// <param name="Target">Whose.</param>
/// <param name="Vcpu">The vCPU's number; 0 for the others.</param>
/// <param name="Request">Which.</param>
/// <param name="Argument">The argument as a number: of a block, its address.</param>
/// <param name="Block">The argument's block as the call left it; empty where the argument is a number.</param>
/// <param name="Result">What it returned, or the errno negated.</param>
internal sealed record ObservedCall(CallTarget Target, int Vcpu, uint Request, ulong Argument, byte[] Block, int Result)
{
    /// <summary>What is known of the call; null for one that <see cref="KvmApi"/> does not have.</summary>
    public KvmApi? Api => KvmApi.Find(Request);

    /// <summary>The file's name in the transcript.</summary>
    public string File => Target switch
    {
        CallTarget.Kvm => "kvm",
        CallTarget.Vm => "vm",
        CallTarget.Vcpu => $"vcpu{Vcpu}",
        _ => "file",
    };

    /// <summary>A number of the block.</summary>
    public T Read<T>(int offset)
        where T : unmanaged => MemoryMarshal.Read<T>(Block.AsSpan(offset));
}
