using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmds.Linux;

namespace MiniVmm.Kvm;

/// <summary>The program's own code and constants, as the dynamic linker mapped them.</summary>
public static unsafe partial class ProgramImage
{
    private const uint PT_LOAD = 1;
    private const uint PF_W = 2;
    private const ulong Page = 4096;

    /// <summary>
    /// Unmaps the pages of code and constants that were touched so far: those still needed come back from the page cache
    /// one by one, those of the start never do, and are not this process' memory any more. Any thread, while others run.
    /// </summary>
    /// <remarks>
    /// Only segments that nobody can write: their pages are the files', and nothing is lost (madvise(2),
    /// MADV_DONTNEED on a private file mapping). A debugger's breakpoints would be, so set them later.
    /// </remarks>
    public static void ReleaseTouched() => _ = IteratePhdr(&ReleaseObject, null);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int ReleaseObject(dl_phdr_info* info, nuint size, void* data)
    {
        for (int i = 0; i < info->dlpi_phnum; i++)
        {
            ref readonly Elf64_Phdr segment = ref info->dlpi_phdr[i];
            if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0)
                continue;
            ulong start = (info->dlpi_addr + segment.p_vaddr) & ~(Page - 1);
            ulong end = (info->dlpi_addr + segment.p_vaddr + segment.p_filesz + Page - 1) & ~(Page - 1);
            _ = LibC.madvise((void*)start, (size_t)(end - start), LibC.MADV_DONTNEED);
        }

        return 0;
    }

    [LibraryImport("libc", EntryPoint = "dl_iterate_phdr")]
    private static partial int IteratePhdr(
        delegate* unmanaged[Cdecl]<dl_phdr_info*, nuint, void*, int> callback, void* data);

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
