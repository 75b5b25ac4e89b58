using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Compare;

/// <summary>
/// Makes exits and calls of QEMU's trace events. kvm_run_exit has the reason alone; what was accessed is in the memory region events
/// between it and the vCPU's next KVM_RUN.
/// </summary>
internal sealed class QemuTraceReader
{
    /// <summary>A longer line is none of QEMU's events.</summary>
    private const int MostLetters = 4096;

    /// <summary>More vCPUs no machine of QEMU's has.</summary>
    private const int MostVcpus = 4096;

    private const uint KvmCheckExtension = KvmIoctl.KVM_CHECK_EXTENSION;

    private readonly MonitorTrace _trace = new();
    private readonly Dictionary<int, Vcpu> _vcpus = [];
    private readonly List<long> _gaps = [];
    private bool _hasRun;
    private long _lastCheck = -1;
    private int _loader = -1; // the vCPU that reads the kernel from fw_cfg

    private QemuTraceReader()
    {
    }

    /// <summary>The events that are read; QEMU passes over those that it does not have.</summary>
    public static IReadOnlyList<string> Events { get; } =
    [
        "kvm_ioctl", "kvm_vm_ioctl", "kvm_vcpu_ioctl", "kvm_device_ioctl", "kvm_run_exit", "memory_region_ops_read", "memory_region_ops_write",
        "fw_cfg_select",
    ];

    /// <summary>What the events come to.</summary>
    public MonitorTrace Trace => _trace;

    /// <summary>Events that were read.</summary>
    public long Lines { get; private set; }

    /// <summary>Lines that are none.</summary>
    public long BadLines { get; private set; }

    /// <summary>Whether the kernel was read by fw_cfg, which is how one by -kernel is on x86.</summary>
    public bool HasLoadedKernel { get; private set; }

    /// <summary>
    /// Microseconds that a line of the trace takes QEMU at most: the median from one KVM_CHECK_EXTENSION to the next, which are as
    /// cheap as a call is; 0 where there are none.
    /// </summary>
    public long LineCost
    {
        get
        {
            _gaps.Sort();
            return _gaps.Count == 0 ? 0 : _gaps[_gaps.Count / 2];
        }
    }

    /// <summary>Reads a trace to its end; a last line without one is what QEMU was writing when it was stopped.</summary>
    public static QemuTraceReader Read(TextReader text)
    {
        ArgumentNullException.ThrowIfNull(text);
        QemuTraceReader reader = new();
        char[] buffer = new char[MostLetters];
        int length = 0;
        while (text.Read() is >= 0 and int letter)
        {
            if (letter == '\n')
            {
                reader.Take(buffer.AsSpan(0, Math.Min(length, MostLetters)), length > MostLetters);
                length = 0;
            }
            else if (length++ < MostLetters)
            {
                buffer[length - 1] = (char)letter;
            }
        }

        reader.End();
        return reader;
    }

    private void Take(ReadOnlySpan<char> text, bool isCut)
    {
        if (isCut || !QemuTraceLine.TryParse(text, out QemuTraceLine line) || !Take(line))
            BadLines++;
        else
            Lines++;
    }

    private bool Take(QemuTraceLine line) => line.Event switch
    {
        "kvm_ioctl" or "kvm_vm_ioctl" or "kvm_device_ioctl" => TakeCall(line),
        "kvm_vcpu_ioctl" => TakeVcpuCall(line),
        "kvm_run_exit" => TakeExit(line),
        "memory_region_ops_read" => TakeAccess(line, isWrite: false),
        "memory_region_ops_write" => TakeAccess(line, isWrite: true),
        "fw_cfg_select" => TakeSelection(line),
        _ => false,
    };

    private bool TakeCall(QemuTraceLine line)
    {
        if (!line.TryHex("type", out ulong request))
            return false;
        bool isCheck = request == KvmCheckExtension;
        if (isCheck && _lastCheck >= 0 && line.At >= _lastCheck)
            _gaps.Add(line.At - _lastCheck);
        _lastCheck = isCheck ? line.At : -1;
        _trace.AddCall((uint)request, _hasRun);
        return true;
    }

    private bool TakeVcpuCall(QemuTraceLine line)
    {
        if (!TryVcpu(line, out int index, out Vcpu? vcpu) || !line.TryHex("type", out ulong request))
            return false;
        _lastCheck = -1;
        if (vcpu.RunsSince is { } since)
            vcpu.Begin(KvmExitReason.KVM_EXIT_INTR, since, line.At); // no event tells of EINTR; the next call does
        if (request != KvmIoctl.KVM_RUN)
        {
            _trace.AddCall((uint)request, _hasRun);
            return true;
        }

        _hasRun = true;
        Finish(index, vcpu, line.At);
        vcpu.RunsSince = line.At;
        return true;
    }

    private bool TakeExit(QemuTraceLine line)
    {
        if (!TryVcpu(line, out _, out Vcpu? vcpu) || !line.TryNumber("reason", out int reason) || reason < 0)
            return false;
        vcpu.Begin((KvmExitReason)reason, vcpu.RunsSince ?? line.At, line.At);
        return true;
    }

    private bool TakeAccess(QemuTraceLine line, bool isWrite)
    {
        if (!line.TryNumber("cpu", out int index) || !line.TryHex("addr", out ulong address) || !line.TryHex("value", out ulong value)
            || !line.TryNumber("size", out int size) || size is < 1 or > 8)
        {
            return false;
        }

        if (!_vcpus.TryGetValue(index, out Vcpu? vcpu) || vcpu.Exit is not { Reason: KvmExitReason.KVM_EXIT_IO or KvmExitReason.KVM_EXIT_MMIO } exit)
            return true; // of another thread: no exit's
        string name = line.Quoted().ToString();
        if (exit.IsAccess && exit.Device == name)
        {
            vcpu.Exit = exit with { Count = exit.Count + 1 };
            return true;
        }

        // What is done first, and by another device, are writes that KVM has gathered.
        if (exit.IsAccess)
            _trace.Coalesced += exit.Count;
        vcpu.Exit = exit with
        {
            IsAccess = true,
            IsWrite = isWrite,
            Address = address,
            Value = value & (ulong.MaxValue >> (64 - 8 * size)),
            Size = (byte)size,
            Count = 1,
            Device = name,
        };
        return true;
    }

    /// <summary>
    /// The firmware, or a ROM that it runs, reads the kernel by fw_cfg and then enters it: the last exit that reads a part of the
    /// kernel is the last one before it.
    /// </summary>
    private bool TakeSelection(QemuTraceLine line)
    {
        if (!line.TryHex("key", out ulong key))
            return false;
        _loader = -1;
        if (!FirmwareConfiguration.IsOfKernel(key))
            return true;
        foreach ((int index, Vcpu vcpu) in _vcpus)
        {
            if (vcpu.Exit is { IsAccess: true } exit && FirmwareConfiguration.IsPort(exit))
                _loader = index;
        }

        HasLoadedKernel |= _loader >= 0;
        return true;
    }

    private void Finish(int index, Vcpu vcpu, long at)
    {
        if (vcpu.Exit is not { } exit)
            return;
        _trace.Add(exit with { Device = exit.Device == "io" ? null : exit.Device, Took = Nanoseconds(at - vcpu.ExitedAt) });
        vcpu.Exit = null;
        if (index != _loader)
            return;
        if (FirmwareConfiguration.IsPort(exit))
            _trace.FirmwareExits = _trace.Exits.Count;
        else
            _loader = -1;
    }

    private void End()
    {
        foreach ((int index, Vcpu vcpu) in _vcpus)
            Finish(index, vcpu, vcpu.ExitedAt);
        if (!HasLoadedKernel)
            _trace.FirmwareExits = _trace.Exits.Count;
    }

    private bool TryVcpu(QemuTraceLine line, out int index, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Vcpu? vcpu)
    {
        vcpu = null;
        if (!line.TryNumber("cpu_index", out index) || index is < 0 or >= MostVcpus)
            return false;
        if (!_vcpus.TryGetValue(index, out vcpu))
            _vcpus[index] = vcpu = new(index);
        return true;
    }

    private static long Nanoseconds(long microseconds) => Math.Clamp(microseconds, 0, long.MaxValue / 1000) * 1000;

    /// <summary>Where a vCPU is.</summary>
    private sealed class Vcpu(int index)
    {
        /// <summary>When KVM_RUN was called, in microseconds, while it has not returned.</summary>
        public long? RunsSince { get; set; }

        /// <summary>The exit that is being served.</summary>
        public ComparedExit? Exit { get; set; }

        public long ExitedAt { get; private set; }

        public void Begin(KvmExitReason reason, long ranSince, long at)
        {
            Exit = new() { Vcpu = index, Reason = reason, Ran = Nanoseconds(at - ranSince) };
            ExitedAt = at;
            RunsSince = null;
        }
    }
}
