using System.Runtime.InteropServices;
using MiniVmm.Host;

namespace MiniVmm.Kvm.Tests;

public sealed class LinuxTests
{
    private const int ESRCH = 3;
    private const long PROC_SUPER_MAGIC = 0x9fa0;

    [Fact]
    public void A_thread_id_is_one_of_this_process()
    {
        int id = Linux.GetTid();
        Assert.True(Directory.Exists($"/proc/self/task/{id}"), $"thread {id}");
        Assert.Equal(0, Linux.TgKill(Environment.ProcessId, id, 0));
    }

    [Fact]
    public void A_signal_to_a_thread_that_is_not_there_says_so()
    {
        Assert.Equal(-1, Linux.TgKill(Environment.ProcessId, int.MaxValue, 0));
        Assert.Equal(ESRCH, Marshal.GetLastPInvokeError());
    }

    [Fact]
    public void StatFs_knows_proc_from_others_and_what_is_missing()
    {
        Assert.Equal(0, Linux.StatFs("/proc", out long type, out long blockSize));
        Assert.Equal(PROC_SUPER_MAGIC, type);
        Assert.Equal(Environment.SystemPageSize, blockSize);
        Assert.Equal(Errno.ENOENT, Linux.StatFs("/proc/no-such-file", out _, out _));
    }

    [Fact]
    public unsafe void MADV_POPULATE_WRITE_makes_pages_resident()
    {
        int page = Environment.SystemPageSize;
        void* memory = Tmds.Linux.LibC.mmap(
            null,
            page,
            Tmds.Linux.LibC.PROT_READ | Tmds.Linux.LibC.PROT_WRITE,
            Tmds.Linux.LibC.MAP_PRIVATE | Tmds.Linux.LibC.MAP_ANONYMOUS,
            -1,
            0);
        Assert.True(memory != Tmds.Linux.LibC.MAP_FAILED);
        try
        {
            // Bit 63 of a pagemap entry: present (proc_pid_pagemap(5)).
            Assert.Equal(0ul, PageMapEntry((ulong)memory) >> 63);
            Assert.Equal(0, Tmds.Linux.LibC.madvise(memory, page, Linux.MADV_POPULATE_WRITE));
            Assert.Equal(1ul, PageMapEntry((ulong)memory) >> 63);
        }
        finally
        {
            _ = Tmds.Linux.LibC.munmap(memory, page);
        }
    }

    private static ulong PageMapEntry(ulong address)
    {
        using FileStream map = new("/proc/self/pagemap", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 0);
        map.Position = (long)(address / (ulong)Environment.SystemPageSize * sizeof(ulong));
        Span<byte> entry = stackalloc byte[sizeof(ulong)];
        map.ReadExactly(entry);
        return MemoryMarshal.Read<ulong>(entry);
    }
}
