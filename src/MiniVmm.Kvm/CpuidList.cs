using System.Runtime.InteropServices;
using MiniVmm.Host;

namespace MiniVmm.Kvm;

/// <summary>kvm_cpuid2 with its entries behind it, as the CPUID requests want it.</summary>
internal static unsafe class CpuidList
{
    // Processors of today fill 75 to 100 entries, and a second call costs 0.4 ms. Linux stops at 256
    // (KVM_MAX_CPUID_ENTRIES); room for a kernel that has more.
    private const uint First = 128;
    private const uint Most = 4096;

    /// <summary>Asks with ever more room until KVM no longer says E2BIG.</summary>
    internal static kvm_cpuid_entry2[] Get(string operation, int fd, uint request)
    {
        for (uint count = First; ; count *= 2)
        {
            kvm_cpuid2* list = Allocate(count);
            try
            {
                int result = KvmCall.Try(fd, request, list);
                if (result >= 0)
                    return new ReadOnlySpan<kvm_cpuid_entry2>(list + 1, (int)Math.Min(list->nent, count)).ToArray();
                if (result != -Errno.E2BIG || count >= Most)
                    throw new KvmException(operation, -result);
            }
            finally
            {
                NativeMemory.Free(list);
            }
        }
    }

    internal static void Set(string operation, int fd, uint request, ReadOnlySpan<kvm_cpuid_entry2> entries)
    {
        kvm_cpuid2* list = Allocate((uint)entries.Length);
        try
        {
            entries.CopyTo(new Span<kvm_cpuid_entry2>(list + 1, entries.Length));
            int result = KvmCall.Try(fd, request, list);
            if (result < 0)
                throw new KvmException(operation, -result, $"entries: {entries.Length}");
        }
        finally
        {
            NativeMemory.Free(list);
        }
    }

    private static kvm_cpuid2* Allocate(uint count)
    {
        var list = (kvm_cpuid2*)NativeMemory.AllocZeroed(
            (nuint)sizeof(kvm_cpuid2) + (nuint)count * (nuint)sizeof(kvm_cpuid_entry2));
        list->nent = count;
        return list;
    }
}
