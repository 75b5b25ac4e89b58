using System.Runtime.InteropServices;
using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Tests.Execution;

/// <summary>
/// A kvm_run mapping made by hand: the page itself, and one behind it for the data of port instructions.
/// </summary>
internal sealed unsafe class KvmRunPage : IDisposable
{
    public const int Length = 8192;

    public kvm_run* Run { get; } = (kvm_run*)NativeMemory.AllocZeroed(Length);

    public KvmRunPage(KvmExitReason reason) => Run->exit_reason = reason;

    public Span<byte> Bytes => new(Run, Length);

    public static KvmRunPage Port(byte direction, byte size, uint count, ulong offset)
    {
        KvmRunPage page = new(KvmExitReason.KVM_EXIT_IO);
        page.Run->io = new() { direction = direction, size = size, port = 0x3f8, count = count, data_offset = offset };
        return page;
    }

    public ExitKind Decode(int length = Length)
    {
        ExitDecoder.Decode(Run, length, out VmExit exit);
        return exit.Kind;
    }

    public void Dispose() => NativeMemory.Free(Run);
}
