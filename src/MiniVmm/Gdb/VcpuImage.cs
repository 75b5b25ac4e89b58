using System.Buffers.Binary;
using System.Runtime.InteropServices;
using MiniVmm.Kvm;

namespace MiniVmm.Gdb;

/// <summary>The registers of a vCPU that stands still, as KVM gives and takes them.</summary>
internal sealed class VcpuImage
{
    private const uint KernelGsBaseMsr = 0xc000_0102;
    private const int HeaderAt = 512; // XSTATE_BV (SDM vol. 1, 13.4.2)
    private const byte AvxState = 1 << 2;
    private const int YmmBytes = 256;

    private readonly ExtendedState _extended;
    private kvm_regs _general;
    private kvm_sregs _special;
    private kvm_fpu _fpu;
    private ulong _kernelGsBase;
    private byte[]? _xsave;

    private VcpuImage(ExtendedState extended)
    {
        _extended = extended;
    }

    /// <summary>For tests: all registers 0.</summary>
    public static VcpuImage Empty => new(default) { _xsave = null };

    public ref kvm_regs General => ref _general;

    public ref kvm_sregs Special => ref _special;

    /// <summary>Asks KVM, on the vCPU's thread.</summary>
    /// <exception cref="KvmException">KVM does not say.</exception>
    public static VcpuImage Capture(KvmVcpu vcpu, ExtendedState extended) => new(extended)
    {
        _general = vcpu.GetRegs(),
        _special = vcpu.GetSregs(),
        _fpu = vcpu.GetFpu(),
        _kernelGsBase = vcpu.GetMsr(KernelGsBaseMsr) ?? 0,
        _xsave = extended.YmmAt > 0 ? vcpu.GetXsave(extended.Size) : null,
    };

    /// <summary>The register's bytes as packets have them.</summary>
    /// <param name="register">Which one.</param>
    /// <param name="bytes">Gets them; as long as it is.</param>
    public void Read(GdbRegister register, Span<byte> bytes)
    {
        bytes.Clear();
        if (register.Name == "ftag")
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, FullTags());
            return;
        }

        if (register.Part == RegisterPart.Ymm && !HasYmmState)
            return; // not used since it was cleared
        ReadOnlySpan<byte> value = Value(register);
        value[..Math.Min(value.Length, bytes.Length)].CopyTo(bytes);
    }

    /// <summary>Changes a register, if that is another value, in this image.</summary>
    /// <returns>False where it cannot have that value.</returns>
    public bool TryWrite(GdbRegister register, ReadOnlySpan<byte> bytes)
    {
        Span<byte> now = stackalloc byte[register.Bytes];
        Read(register, now);
        if (bytes.SequenceEqual(now))
            return true;
        if (register.Name == "ftag")
        {
            WriteTags(BinaryPrimitives.ReadUInt32LittleEndian(bytes));
            return true;
        }

        if (register.Part == RegisterPart.Ymm)
            _xsave![HeaderAt] |= AvxState;
        Span<byte> value = Value(register);
        int length = Math.Min(value.Length, bytes.Length);
        if (bytes[length..].ContainsAnyExcept((byte)0) || (register.Bits == 32 && value.Length == 2 && !TrySelect(register, bytes)))
            return false;
        value.Clear();
        bytes[..length].CopyTo(value);
        return true;
    }

    /// <summary>Has KVM take a part of the image, on the vCPU's thread.</summary>
    /// <exception cref="KvmException">KVM refuses it: registers that contradict each other.</exception>
    public void Apply(KvmVcpu vcpu, RegisterPart part)
    {
        switch (part)
        {
            case RegisterPart.General:
                // KVM drops an exception that waits, as if the guest were somewhere else then.
                kvm_vcpu_events events = vcpu.GetVcpuEvents();
                vcpu.SetRegs(_general);
                vcpu.SetVcpuEvents(events);
                break;
            case RegisterPart.Special:
                vcpu.SetSregs(_special);
                break;
            case RegisterPart.Fpu:
                vcpu.SetFpu(_fpu);
                break;
            case RegisterPart.Ymm:
                vcpu.SetXsave(_xsave);
                break;
            case RegisterPart.KernelGsBase:
                vcpu.SetMsrs([new kvm_msr_entry { index = KernelGsBaseMsr, data = _kernelGsBase }]);
                break;
        }
    }

    private bool HasYmmState => _xsave is not null && (_xsave[HeaderAt] & AvxState) != 0;

    private Span<byte> Value(GdbRegister register) => register.Part switch
    {
        RegisterPart.General => Bytes(ref _general).Slice(register.Offset, register.Size),
        RegisterPart.Special => Bytes(ref _special).Slice(register.Offset, register.Size),
        RegisterPart.Fpu => Bytes(ref _fpu).Slice(register.Offset, register.Size),
        RegisterPart.KernelGsBase => Bytes(ref _kernelGsBase),
        RegisterPart.Ymm when _xsave is not null => _xsave.AsSpan(_extended.YmmAt, YmmBytes).Slice(register.Offset, register.Size),
        _ => [],
    };

    /// <summary>A selector alone is another segment in real mode only; elsewhere its descriptor would have to be loaded.</summary>
    private bool TrySelect(GdbRegister register, ReadOnlySpan<byte> bytes)
    {
        if (register.Part != RegisterPart.Special || register.Name is "gdtr_limit" or "idtr_limit")
            return true;
        if ((_special.cr0 & 1) != 0)
            return false;
        ulong start = (ulong)BinaryPrimitives.ReadUInt16LittleEndian(bytes) << 4;
        switch (register.Name)
        {
            case "cs":
                _special.cs.@base = start;
                return true;
            case "ss":
                _special.ss.@base = start;
                return true;
            case "ds":
                _special.ds.@base = start;
                return true;
            case "es":
                _special.es.@base = start;
                return true;
            case "fs":
                _special.fs.@base = start;
                return true;
            case "gs":
                _special.gs.@base = start;
                return true;
            default:
                return false; // the task and the local table are protected mode's
        }
    }

    /// <summary>Two bits a register, as before FXSAVE: valid, zero, special, empty (SDM vol. 1, 8.1.7).</summary>
    private unsafe uint FullTags()
    {
        uint tags = 0;
        int top = (_fpu.fsw >> 11) & 7;
        for (int physical = 0; physical < 8; physical++)
        {
            uint tag = 3;
            if ((_fpu.ftwx & (1 << physical)) != 0)
            {
                int at = 16 * ((physical - top) & 7);
                ReadOnlySpan<byte> value = Bytes(ref _fpu).Slice(at, 10);
                ulong significand = BinaryPrimitives.ReadUInt64LittleEndian(value);
                int exponent = BinaryPrimitives.ReadUInt16LittleEndian(value[8..]) & 0x7fff;
                bool isNormal = significand >> 63 != 0 && exponent is not 0 and not 0x7fff;
                tag = exponent == 0 && significand == 0 ? 1u : isNormal ? 0u : 2u;
            }

            tags |= tag << (2 * physical);
        }

        return tags;
    }

    private void WriteTags(uint tags)
    {
        byte valid = 0;
        for (int i = 0; i < 8; i++)
        {
            if (((tags >> (2 * i)) & 3) != 3)
                valid |= (byte)(1 << i);
        }

        _fpu.ftwx = valid;
    }

    private static Span<byte> Bytes<T>(ref T structure)
        where T : unmanaged => MemoryMarshal.AsBytes(new Span<T>(ref structure));
}

/// <summary>Where a VM's vCPUs keep their YMM registers.</summary>
/// <param name="Size">Bytes of the XSAVE area; at least 4096.</param>
/// <param name="YmmAt">Where the upper halves are in it; 0 where there are none.</param>
internal readonly record struct ExtendedState(int Size, int YmmAt)
{
    private const int StandardYmmAt = 576;
    private const uint Avx = 1 << 28;

    /// <summary>Asks the vCPU's CPUID table (SDM vol. 2, CPUID: leaf 1, and leaf 0xd, sub-leaf 2).</summary>
    /// <param name="vcpu">Set up.</param>
    /// <param name="size">What KVM_CAP_XSAVE2 says, or 0.</param>
    /// <exception cref="KvmException">KVM does not say.</exception>
    public static ExtendedState Of(KvmVcpu vcpu, int size)
    {
        kvm_cpuid_entry2[] table = vcpu.GetCpuid2();
        bool hasAvx = Array.Exists(table, entry => entry.function == 1 && (entry.ecx & Avx) != 0);
        kvm_cpuid_entry2 ymm = Array.Find(table, entry => entry is { function: 0xd, index: 2 });
        int at = ymm.eax >= 256 ? (int)ymm.ebx : StandardYmmAt;
        size = Math.Max(size, 4096);
        return new(size, hasAvx && at <= size - 256 ? at : 0);
    }
}
