using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Microsoft.Win32.SafeHandles;
using MiniVmm.Host;
using MiniVmm.Kvm;
using Tmds.Linux;

namespace MiniVmm.Benchmarks;

/// <summary>
/// What does each way to call ioctl(2) add to the system call? <see cref="Linux.Ioctl"/> is LibraryImport with
/// SetLastError: KVM_RUN needs its errno, and may block, which rules SuppressGCTransition out however fast it is.
/// The request is the least that KVM has, KVM_GET_API_VERSION. Needs /dev/kvm.
/// </summary>
[MemoryDiagnoser]
public unsafe partial class IoctlBenchmarks
{
    private const nuint Request = KvmIoctl.KVM_GET_API_VERSION;
    private KvmSystem _kvm = null!;
    private SafeFileHandle _handle = null!;
    private delegate* unmanaged<int, nuint, nuint, int> _pointer;
    private delegate* unmanaged[SuppressGCTransition]<int, nuint, nuint, int> _withoutTransition;
    private int _fd;

    [GlobalSetup]
    public void Setup()
    {
        _kvm = KvmSystem.Open();
        _fd = _kvm.Fd;
        _handle = new SafeFileHandle(_fd, ownsHandle: false);
        nint address = NativeLibrary.GetExport(NativeLibrary.Load("libc"), "ioctl");
        _pointer = (delegate* unmanaged<int, nuint, nuint, int>)address;
        _withoutTransition = (delegate* unmanaged[SuppressGCTransition]<int, nuint, nuint, int>)address;
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _handle?.Dispose();
        _kvm?.Dispose();
    }

    /// <summary>The project's own form.</summary>
    [Benchmark(Baseline = true)]
    public int LibraryImportWithErrno() => Linux.Ioctl(_fd, Request, 0);

    [Benchmark]
    public int LibraryImport() => Bare(_fd, Request, 0);

    /// <summary>As the project's own, and a reference counted in and out.</summary>
    [Benchmark]
    public int LibraryImportOfSafeHandle() => OfHandle(_handle, Request, 0);

    [Benchmark]
    public int FunctionPointer() => _pointer(_fd, Request, 0);

    /// <summary>The collector waits for it: never for a call that can block.</summary>
    [Benchmark]
    public int FunctionPointerWithoutTransition() => _withoutTransition(_fd, Request, 0);

    [Benchmark]
    public int TmdsLibC() => LibC.ioctl(_fd, (int)Request, 0);

    [LibraryImport("libc", EntryPoint = "ioctl")]
    private static partial int Bare(int fd, nuint request, nuint argument);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int OfHandle(SafeFileHandle fd, nuint request, nuint argument);
}
