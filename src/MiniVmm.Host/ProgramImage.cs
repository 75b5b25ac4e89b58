using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmds.Linux;

namespace MiniVmm.Host;

/// <summary>The program's own code and constants, as the dynamic linker mapped them.</summary>
public static unsafe partial class ProgramImage
{
    private const uint PT_LOAD = 1;
    private const uint PF_W = 2;
    private const ulong Page = 4096;

    /// <summary>
    /// Unmaps the pages of code and constants that were touched so far: those still needed come back from the page
    /// cache one by one, those of the start never do, and no longer count as this process' memory. Any thread, while
    /// others run.
    /// </summary>
    /// <remarks>
    /// Only pages that are the files' own (madvise(2), MADV_DONTNEED on a private file mapping, loses nothing there),
    /// so that a debugger's breakpoints stay. Not under the JIT compiler, whose runtime patches its own code at any
    /// time.
    /// </remarks>
    public static void ReleaseTouched()
    {
        if (RuntimeFeature.IsDynamicCodeSupported)
            return;
        int pagemap;
        fixed (byte* path = "/proc/self/pagemap\0"u8)
            pagemap = LibC.open(path, LibC.O_RDONLY | LibC.O_CLOEXEC);
        if (pagemap < 0)
            return;
        _ = IteratePhdr(&ReleaseObject, &pagemap);
        _ = LibC.close(pagemap);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int ReleaseObject(dl_phdr_info* info, nuint size, int* pagemap)
    {
        for (int i = 0; i < info->dlpi_phnum; i++)
        {
            ref readonly Elf64_Phdr segment = ref info->dlpi_phdr[i];
            if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) == 0)
            {
                ulong start = info->dlpi_addr + segment.p_vaddr;
                Release(*pagemap, start / Page, (start + segment.p_filesz + Page - 1) / Page);
            }
        }

        return 0;
    }

    /// <summary>
    /// Gives back runs of pages that are present and a file's (Documentation/admin-guide/mm/pagemap.rst).
    /// </summary>
    private static void Release(int pagemap, ulong first, ulong end)
    {
        const ulong FilePage = (1UL << 63) | (1UL << 61);
        const int Batch = 256;
        ulong* entries = stackalloc ulong[Batch];
        for (ulong page = first; page < end; page += Batch)
        {
            ulong count = Math.Min(Batch, end - page);
            if ((long)LibC.pread(pagemap, entries, (size_t)(count * 8), (long)(page * 8)) != (long)(count * 8))
                return;
            for (ulong i = 0, run = 0; i <= count; i++)
            {
                if (i < count && (entries[i] & FilePage) == FilePage)
                {
                    run++;
                }
                else if (run > 0)
                {
                    _ = LibC.madvise((void*)((page + i - run) * Page), (size_t)(run * Page), LibC.MADV_DONTNEED);
                    run = 0;
                }
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "dl_iterate_phdr")]
    private static partial int IteratePhdr(
        delegate* unmanaged[Cdecl]<dl_phdr_info*, nuint, int*, int> callback, int* data);

    // link.h; only the beginning, which never changed.
    [StructLayout(LayoutKind.Sequential)]
    private struct dl_phdr_info
    {
        public ulong dlpi_addr;
        public byte* dlpi_name;
        public Elf64_Phdr* dlpi_phdr;
        public ushort dlpi_phnum;
    }

    // elf.h
    [StructLayout(LayoutKind.Sequential)]
    private struct Elf64_Phdr
    {
        public uint p_type;
        public uint p_flags;
        public ulong p_offset;
        public ulong p_vaddr;
        public ulong p_paddr;
        public ulong p_filesz;
        public ulong p_memsz;
        public ulong p_align;
    }
}
