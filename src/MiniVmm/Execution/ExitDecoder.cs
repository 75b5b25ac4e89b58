using System.Runtime.CompilerServices;
using MiniVmm.Kvm;

namespace MiniVmm.Execution;

/// <summary>
/// Makes sense of a kvm_run page: a pure function, tested on pages made by hand
/// (Documentation/virt/kvm/api.rst, section 5, "The kvm_run structure").
/// </summary>
public static unsafe class ExitDecoder
{
    /// <summary>Decodes the exit that <paramref name="run"/> describes. Allocates nothing.</summary>
    /// <param name="run">The vCPU's shared page.</param>
    /// <param name="length">Bytes mapped there (KVM_GET_VCPU_MMAP_SIZE): port data must lie inside.</param>
    /// <param name="exit">The exit.</param>
    public static void Decode(kvm_run* run, int length, out VmExit exit)
    {
        // The other fields are read only where a case has set them.
        Unsafe.SkipInit(out exit);
        exit.Kind = ExitKind.Nothing;
        switch ((KvmExitReason)run->exit_reason)
        {
            case KvmExitReason.KVM_EXIT_IO:
                ulong bytes = (ulong)run->io.size * run->io.count;
                if (run->io.size is not (1 or 2 or 4) || run->io.data_offset > (ulong)length
                    || bytes > (ulong)length - run->io.data_offset)
                {
                    exit.Kind = ExitKind.Unhandled;
                    break;
                }

                exit.Kind = run->io.direction == KvmConstants.KVM_EXIT_IO_OUT ? ExitKind.PortWrite : ExitKind.PortRead;
                exit.Address = run->io.port;
                exit.Data = (byte*)run + run->io.data_offset;
                exit.Size = run->io.size;
                exit.Count = run->io.count;
                break;
            case KvmExitReason.KVM_EXIT_MMIO:
                exit.Kind = run->mmio.len is 0 or > 8 ? ExitKind.Unhandled
                    : run->mmio.is_write != 0 ? ExitKind.MmioWrite : ExitKind.MmioRead;
                exit.Address = run->mmio.phys_addr;
                exit.Data = run->mmio.data;
                exit.Size = (int)run->mmio.len;
                exit.Count = 1;
                break;
            case KvmExitReason.KVM_EXIT_SHUTDOWN:
                exit.Kind = ExitKind.TripleFault;
                break;
            case KvmExitReason.KVM_EXIT_INTERNAL_ERROR:
                exit.Kind = ExitKind.InternalError;
                break;
            case KvmExitReason.KVM_EXIT_FAIL_ENTRY:
                exit.Kind = ExitKind.FailedEntry;
                break;
            case KvmExitReason.KVM_EXIT_SYSTEM_EVENT:
                exit.Kind = run->system_event.type switch
                {
                    KvmConstants.KVM_SYSTEM_EVENT_SHUTDOWN => ExitKind.SystemShutdown,
                    KvmConstants.KVM_SYSTEM_EVENT_RESET => ExitKind.SystemReset,
                    _ => ExitKind.Unhandled,
                };
                break;
            case KvmExitReason.KVM_EXIT_INTR:
            case KvmExitReason.KVM_EXIT_IRQ_WINDOW_OPEN:
            case KvmExitReason.KVM_EXIT_SET_TPR:
                break;
            default:
                exit.Kind = ExitKind.Unhandled;
                break;
        }
    }
}
