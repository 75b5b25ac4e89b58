using static Tmds.Linux.LibC;

namespace MiniVmm.Host;

/// <summary>What processors and KVM remember of where pages are.</summary>
public static unsafe class PageTranslations
{
    /// <summary>
    /// Has the kernel tell everybody to forget where these pages are: the next access asks again. Nothing else about them
    /// changes; part of a huge page of hugetlbfs stays as it is. By mprotect(2), whose change of rights KVM is told of.
    /// </summary>
    /// <param name="start">Of readable and writable memory; a multiple of the page size.</param>
    /// <param name="length">Bytes, a multiple of the page size.</param>
    public static void Drop(byte* start, int length)
    {
        // A right more and then less, so that at no time one is missing that another thread needs.
        if (mprotect(start, length, PROT_READ | PROT_WRITE | PROT_EXEC) == 0)
            _ = mprotect(start, length, PROT_READ | PROT_WRITE);
    }
}
