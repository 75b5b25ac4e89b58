using System.Runtime.CompilerServices;
using MiniVmm.Kvm;

namespace MiniVmm.Execution;

/// <summary>
/// Makes sense of a kvm_run page: a pure function, tested on pages made by hand
/// (Documentation/virt/kvm/api.rst, section 5, "The kvm_run structure").
/// </summary>
internal static unsafe class ExitDecoder
{
    /// <summary>Decodes the exit that <paramref name="run"/> describes. Allocates nothing.</summary>
    /// <param name="run">The vCPU's shared page.</param>
    /// <param name="length">Bytes mapped there (KVM_GET_VCPU_MMAP_SIZE): port data must lie inside.</param>
    /// <param name="exit">The exit.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode(kvm_run* run, int length, out VmExit exit)
    {
        // The other fields are read only where a case has set them.
        Unsafe.SkipInit(out exit);
        if (run->exit_reason == KvmExitReason.KVM_EXIT_IO)
        {
            ulong bytes = (ulong)run->io.size * run->io.count;
            if (run->io.size is not (1 or 2 or 4) || run->io.data_offset > (ulong)length
                || bytes > (ulong)length - run->io.data_offset)
            {
                exit.Kind = ExitKind.Unhandled;
                return;
            }

            exit.Kind = run->io.direction == KvmConstants.KVM_EXIT_IO_OUT ? ExitKind.PortWrite : ExitKind.PortRead;
            exit.Address = run->io.port;
            exit.Data = (byte*)run + run->io.data_offset;
            exit.Size = run->io.size;
            exit.Count = run->io.count;
        }
        else if (run->exit_reason == KvmExitReason.KVM_EXIT_MMIO)
        {
            exit.Kind = run->mmio.len is 0 or > 8 ? ExitKind.Unhandled
                : run->mmio.is_write != 0 ? ExitKind.MmioWrite : ExitKind.MmioRead;
            exit.Address = run->mmio.phys_addr;
            exit.Data = run->mmio.data;
            exit.Size = (int)run->mmio.len;
            exit.Count = 1;
        }
        else
        {
            exit.Kind = WithoutData(run);
        }
    }

    private static ExitKind WithoutData(kvm_run* run) => run->exit_reason switch
    {
        KvmExitReason.KVM_EXIT_HLT => ExitKind.Halt,
        KvmExitReason.KVM_EXIT_SHUTDOWN => ExitKind.TripleFault,
        KvmExitReason.KVM_EXIT_INTERNAL_ERROR => ExitKind.InternalError,
        KvmExitReason.KVM_EXIT_FAIL_ENTRY => ExitKind.FailedEntry,
        KvmExitReason.KVM_EXIT_DEBUG => ExitKind.Debug,
        KvmExitReason.KVM_EXIT_X86_RDMSR or KvmExitReason.KVM_EXIT_X86_WRMSR => ExitKind.UnknownMsr,
        KvmExitReason.KVM_EXIT_SYSTEM_EVENT => run->system_event.type switch
        {
            KvmConstants.KVM_SYSTEM_EVENT_SHUTDOWN => ExitKind.SystemShutdown,
            KvmConstants.KVM_SYSTEM_EVENT_RESET => ExitKind.SystemReset,
            _ => ExitKind.Unhandled,
        },
        KvmExitReason.KVM_EXIT_INTR or KvmExitReason.KVM_EXIT_IRQ_WINDOW_OPEN or KvmExitReason.KVM_EXIT_SET_TPR =>
            ExitKind.Nothing,
        _ => ExitKind.Unhandled,
    };
}
