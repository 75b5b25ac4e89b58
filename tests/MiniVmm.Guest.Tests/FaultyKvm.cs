using System.Diagnostics;

namespace MiniVmm.Guest.Tests;

/// <summary>
/// A KVM with something wrong: a library, made here, that comes between <c>minivmm</c> and the C library
/// (ld.so(8), LD_PRELOAD).
/// </summary>
public sealed class FaultyKvm : IDisposable
{
    private const string Source =
        """
        #define _DEFAULT_SOURCE
        #include <errno.h>
        #include <linux/kvm.h>
        #include <stdarg.h>
        #include <stdint.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/syscall.h>
        #include <unistd.h>

        static int fault_is(const char *name)
        {
            const char *fault = getenv("KVM_FAULT");
            return fault && !strcmp(fault, name);
        }

        static int refuse(int error)
        {
            errno = error;
            return -1;
        }

        int ioctl(int fd, unsigned long request, ...)
        {
            va_list rest;
            va_start(rest, request);
            void *argument = va_arg(rest, void *);
            va_end(rest);
            request = (uint32_t)request;
            if (request == KVM_GET_STATS_FD && fault_is("no statistics"))
                return refuse(ENOTTY);
            if (request == KVM_IOEVENTFD && fault_is("no ioeventfd"))
                return refuse(ENOSPC);
            if (request == KVM_IRQFD && fault_is("no irqfd"))
                return refuse(EINVAL);
            if (request == KVM_CHECK_EXTENSION && argument == (void *)KVM_CAP_COALESCED_MMIO && fault_is("no ring"))
                return 0;
            if (request == KVM_CHECK_EXTENSION && argument == (void *)KVM_CAP_COALESCED_PIO && fault_is("no port ring"))
                return 0;
            if (request == KVM_RUN && fault_is("no run"))
                return refuse(EFAULT);
            if (request == KVM_RUN && fault_is("late"))
                usleep(500); /* ten times as long as a partner waits for the guest to be there */
            return syscall(SYS_ioctl, fd, request, argument);
        }

        /* Every reading of a counter is one more too many than the one before. */
        ssize_t pread(int fd, void *to, size_t length, off_t offset)
        {
            static uint64_t more;
            ssize_t got = syscall(SYS_pread64, fd, to, length, offset);
            if (got == sizeof(uint64_t) && fault_is("lies"))
                *(uint64_t *)to += ++more;
            return got;
        }
        """;

    private readonly TemporaryFolder _folder = new();

    public FaultyKvm()
    {
        string source = _folder.Write("faulty-kvm.c", System.Text.Encoding.UTF8.GetBytes(Source));
        ProcessStartInfo start = new("gcc", ["-shared", "-fPIC", "-Wall", "-Werror", "-o", Library, source])
        {
            RedirectStandardError = true,
        };
        using Process compiler = Process.Start(start)!;
        string errors = compiler.StandardError.ReadToEnd();
        compiler.WaitForExit();
        Assert.True(compiler.ExitCode == 0, errors);
    }

    private string Library => _folder["faulty-kvm.so"];

    public void Dispose() => _folder.Dispose();

    /// <summary>Runs <c>minivmm</c> on a KVM with this fault.</summary>
    internal Task<MinivmmResult> RunAsync(string fault, params IEnumerable<string> arguments) =>
        MinivmmProcess.RunProgramAsync(
            "env", [$"LD_PRELOAD={Library}", $"KVM_FAULT={fault}", Built.MiniVmm, .. arguments]);
}
