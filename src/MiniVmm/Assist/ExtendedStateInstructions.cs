using System.Numerics;
using Iced.Intel;
using MiniVmm.Inspection;

namespace MiniVmm.Assist;

/// <summary>
/// XSAVE and its kin in 64-bit code, MXCSR, XCR0 and protection keys (SDM vol. 1, ch. 13; vol. 2, their pages). The
/// optimizations that a processor may make are not made.
/// </summary>
internal sealed class ExtendedStateInstructions(
    AssistedCpu cpu, GuestOperands operands, IExtendedState extended, XsaveLayout layout)
{
    private const ulong X87 = 1, Sse = 2, Avx = 4;
    private const int Pkru = 9;
    private const ulong Compact = 1UL << 63;
    private const uint Xss = 0xda0; // IA32_XSS
    private const ulong ProtectionKeys = 1 << 22; // CR4.PKE
    private const int Alignment = 64;
    private const int MostBytes = 4096;
    private readonly byte[] _area = new byte[MostBytes];

    public AssistStep Execute(in Instruction instruction) => instruction.Mnemonic switch
    {
        Mnemonic.Xsave or Mnemonic.Xsave64 => Save(instruction, AssistFeatures.Xsave, compact: false, supervisor: false),
        Mnemonic.Xsaveopt or Mnemonic.Xsaveopt64 => Save(instruction, AssistFeatures.Xsaveopt, compact: false, supervisor: false),
        Mnemonic.Xsavec or Mnemonic.Xsavec64 => Save(instruction, AssistFeatures.Xsavec, compact: true, supervisor: false),
        Mnemonic.Xsaves or Mnemonic.Xsaves64 => Save(instruction, AssistFeatures.Xsaves, compact: true, supervisor: true),
        Mnemonic.Xrstor or Mnemonic.Xrstor64 => Restore(instruction, AssistFeatures.Xsave, supervisor: false),
        Mnemonic.Xrstors or Mnemonic.Xrstors64 => Restore(instruction, AssistFeatures.Xsaves, supervisor: true),
        Mnemonic.Xgetbv => GetBits(),
        Mnemonic.Ldmxcsr => LoadMxcsr(instruction),
        Mnemonic.Stmxcsr => StoreMxcsr(instruction),
        Mnemonic.Rdpkru => ReadKeys(),
        Mnemonic.Wrpkru => WriteKeys(),
        _ => AssistStep.Unknown,
    };

    /// <summary>EDX:EAX.</summary>
    private ulong Pair => (ulong)(uint)cpu.Regs.rdx << 32 | (uint)cpu.Regs.rax;

    /// <summary>
    /// Whether the instruction and the image's x87 pointers can be taken as the 64-bit forms': without REX.W the pointers have
    /// segments in their upper halves, which makes no difference where all are 0.
    /// </summary>
    private static bool IsPossible(in Instruction instruction, ReadOnlySpan<byte> image) =>
        instruction.Mnemonic is Mnemonic.Xsave64 or Mnemonic.Xsaveopt64 or Mnemonic.Xsavec64 or Mnemonic.Xsaves64
            or Mnemonic.Xrstor64 or Mnemonic.Xrstors64
        || image[XsaveImage.PointersAt..XsaveImage.MxcsrAt].IndexOfAnyExcept((byte)0) < 0;

    private bool HasXsave => (cpu.Sregs.cr4 & ControlBits.Cr4Osxsave) != 0 && cpu.Has(AssistFeatures.Xsave);

    private bool IsTaskSwitched => (cpu.Sregs.cr0 & ControlBits.Cr0Ts) != 0;

    /// <summary>What all of them check before they access memory.</summary>
    private AssistStep? Check(AssistFeatures needed, bool supervisor)
    {
        if (!HasXsave || !cpu.Has(needed))
            return AssistStep.InvalidOpcode;
        if (!cpu.Is64Bit)
            return AssistStep.Unknown;
        if (supervisor && cpu.Cpl != 0)
            return AssistStep.GeneralProtection;
        return IsTaskSwitched ? AssistStep.DeviceNotAvailable : null;
    }

    private bool TryEnabled(bool supervisor, out ulong enabled)
    {
        enabled = extended.Xcr0;
        if (!supervisor)
            return true;
        bool read = extended.TryReadMsr(Xss, out ulong more);
        enabled |= more;
        return read;
    }

    private AssistStep Save(in Instruction instruction, AssistFeatures needed, bool compact, bool supervisor)
    {
        if (Check(needed, supervisor) is { } refused)
            return refused;
        if (!TryEnabled(supervisor, out ulong enabled))
            return AssistStep.Unknown;
        ulong wanted = enabled & Pair;
        ReadOnlySpan<byte> image = extended.Image;
        if (image.IsEmpty || !layout.Knows(wanted, image.Length)
            || ((wanted & X87) != 0 && !IsPossible(instruction, image)))
            return AssistStep.Unknown;
        int size = compact ? layout.Compacted(63, wanted) : StandardEnd(wanted);
        if (size > MostBytes)
            return AssistStep.Unknown;
        if (!operands.TryLocate(instruction, size, write: true, out ulong linear))
            return AssistStep.MemoryFault;
        if (linear % Alignment != 0)
            return AssistStep.GeneralProtection;

        // What is not written keeps what the guest has there.
        Span<byte> area = _area.AsSpan(0, size);
        if (!operands.TryProbe(linear, size, write: true) || !operands.TryRead(linear, area))
            return AssistStep.MemoryFault;
        ulong inUse = XsaveImage.XstateBv(image);
        if (compact && XsaveImage.Mxcsr(image) != XsaveImage.InitialMxcsr)
            inUse |= Sse;
        ulong saved = compact ? wanted & inUse : wanted;
        if ((saved & X87) != 0)
            XsaveImage.CopyX87(image, area);
        if ((saved & Sse) != 0)
            image[XsaveImage.XmmAt..XsaveImage.XmmEnd].CopyTo(area[XsaveImage.XmmAt..]);
        if ((saved & (compact ? Sse : Sse | Avx)) != 0)
            image.Slice(XsaveImage.MxcsrAt, 8).CopyTo(area[XsaveImage.MxcsrAt..]);
        for (ulong left = saved & ~(X87 | Sse); left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            (int offset, int bytes) = layout.Standard(i);
            image.Slice(offset, bytes).CopyTo(area[(compact ? layout.Compacted(i, wanted) : offset)..]);
        }

        ulong before = compact ? 0 : XsaveImage.XstateBv(area) & ~wanted;
        XsaveImage.Write(area, XsaveImage.XstateBvAt, before | wanted & inUse);
        if (compact)
            XsaveImage.Write(area, XsaveImage.XcompBvAt, wanted | Compact);
        return operands.TryWrite(linear, area) ? AssistStep.Done : AssistStep.MemoryFault;
    }

    private int StandardEnd(ulong components)
    {
        int end = XsaveLayout.Start;
        for (ulong left = components & ~(X87 | Sse); left != 0; left &= left - 1)
        {
            (int offset, int size) = layout.Standard(BitOperations.TrailingZeroCount(left));
            end = Math.Max(end, offset + size);
        }

        return end;
    }

    private AssistStep Restore(in Instruction instruction, AssistFeatures needed, bool supervisor)
    {
        if (Check(needed, supervisor) is { } refused)
            return refused;
        if (!TryEnabled(supervisor, out ulong enabled))
            return AssistStep.Unknown;
        if (!operands.TryLocate(instruction, XsaveLayout.Start, write: false, out ulong linear))
            return AssistStep.MemoryFault;
        if (linear % Alignment != 0)
            return AssistStep.GeneralProtection;
        if (!operands.TryRead(linear, _area.AsSpan(0, XsaveLayout.Start)))
            return AssistStep.MemoryFault;
        ulong present = XsaveImage.XstateBv(_area);
        ulong format = XsaveImage.XcompBv(_area);
        bool compact = (format & Compact) != 0;
        if (!IsHeaderGood(enabled, supervisor, compact, present, format))
            return AssistStep.GeneralProtection;

        ulong wanted = enabled & Pair;
        ulong loaded = wanted & present;
        Span<byte> image = extended.Image;
        if (image.IsEmpty || !layout.Knows(wanted | format & ~Compact, image.Length)
            || ((loaded & X87) != 0 && !IsPossible(instruction, _area)))
            return AssistStep.Unknown;
        int size = compact ? layout.Compacted(63, format & ~Compact) : StandardEnd(loaded);
        if (size > MostBytes)
            return AssistStep.Unknown;
        if (!operands.TryLocate(instruction, size, write: false, out linear)
            || !operands.TryRead(linear + XsaveLayout.Start, _area.AsSpan(XsaveLayout.Start, size - XsaveLayout.Start)))
            return AssistStep.MemoryFault;
        bool loadsMxcsr = compact ? (loaded & Sse) != 0 : (wanted & (Sse | Avx)) != 0;
        if (loadsMxcsr && (XsaveImage.Mxcsr(_area) & ~XsaveImage.MxcsrMask(image)) != 0)
            return AssistStep.GeneralProtection;
        Load(image, wanted, loaded, compact ? format & ~Compact : null, loadsMxcsr);
        extended.KeepImage();
        return AssistStep.Done;
    }

    private bool IsHeaderGood(ulong enabled, bool supervisor, bool compact, ulong present, ulong format)
    {
        if (!compact && supervisor || (present & ~enabled) != 0)
            return false;
        if (!compact)
            return _area.AsSpan(XsaveImage.XcompBvAt, 16).IndexOfAnyExcept((byte)0) < 0;
        return cpu.Has(AssistFeatures.Xsavec)
            && (format & ~Compact & ~enabled) == 0
            && (present & ~format) == 0
            && _area.AsSpan(XsaveImage.XcompBvAt + 8, 48).IndexOfAnyExcept((byte)0) < 0;
    }

    private void Load(Span<byte> image, ulong wanted, ulong loaded, ulong? compacted, bool loadsMxcsr)
    {
        ReadOnlySpan<byte> area = _area;
        if ((loaded & X87) != 0)
            XsaveImage.CopyX87(area, image);
        else if ((wanted & X87) != 0)
            XsaveImage.InitializeX87(image);
        if ((loaded & Sse) != 0)
            area[XsaveImage.XmmAt..XsaveImage.XmmEnd].CopyTo(image[XsaveImage.XmmAt..]);
        else if ((wanted & Sse) != 0)
            image[XsaveImage.XmmAt..XsaveImage.XmmEnd].Clear();
        if (loadsMxcsr)
            XsaveImage.Write(image, XsaveImage.MxcsrAt, XsaveImage.Mxcsr(area));
        else if ((wanted & Sse) != 0)
            XsaveImage.Write(image, XsaveImage.MxcsrAt, XsaveImage.InitialMxcsr);
        for (ulong left = wanted & ~(X87 | Sse); left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            (int offset, int bytes) = layout.Standard(i);
            if ((loaded >> i & 1) == 0)
                image.Slice(offset, bytes).Clear();
            else
                area.Slice(compacted is { } format ? layout.Compacted(i, format) : offset, bytes).CopyTo(image[offset..]);
        }

        ulong inUse = XsaveImage.XstateBv(image) & ~wanted | loaded;

        // MXCSR counts as SSE's, for KVM as for the processor.
        if (XsaveImage.Mxcsr(image) != XsaveImage.InitialMxcsr)
            inUse |= Sse;
        XsaveImage.Write(image, XsaveImage.XstateBvAt, inUse);
    }

    private AssistStep GetBits()
    {
        if (!HasXsave)
            return AssistStep.InvalidOpcode;
        ulong value = extended.Xcr0;
        switch ((uint)cpu.Regs.rcx)
        {
            case 0:
                break;
            case 1 when cpu.Has(AssistFeatures.Xgetbv1):
                if (extended.Image.IsEmpty)
                    return AssistStep.Unknown;
                value &= XsaveImage.XstateBv(extended.Image);
                break;
            default:
                return AssistStep.GeneralProtection;
        }

        cpu.Regs.rax = (uint)value;
        cpu.Regs.rdx = value >> 32;
        return AssistStep.Done;
    }

    private AssistStep? CheckSse()
    {
        if (!cpu.Has(AssistFeatures.Sse) || (cpu.Sregs.cr0 & ControlBits.Cr0Em) != 0
            || (cpu.Sregs.cr4 & ControlBits.Cr4Osfxsr) == 0)
            return AssistStep.InvalidOpcode;
        return IsTaskSwitched ? AssistStep.DeviceNotAvailable : null;
    }

    private AssistStep LoadMxcsr(in Instruction instruction)
    {
        if (CheckSse() is { } refused)
            return refused;
        if (!operands.TryLocate(instruction, 4, write: false, out ulong linear)
            || !operands.TryRead(linear, 4, out ulong value))
            return AssistStep.MemoryFault;
        Span<byte> image = extended.Image;
        if (image.IsEmpty)
            return AssistStep.Unknown;
        if (((uint)value & ~XsaveImage.MxcsrMask(image)) != 0)
            return AssistStep.GeneralProtection;
        XsaveImage.Write(image, XsaveImage.MxcsrAt, (uint)value);
        XsaveImage.Write(image, XsaveImage.XstateBvAt, XsaveImage.XstateBv(image) | Sse);
        extended.KeepImage();
        return AssistStep.Done;
    }

    private AssistStep StoreMxcsr(in Instruction instruction)
    {
        if (CheckSse() is { } refused)
            return refused;
        ReadOnlySpan<byte> image = extended.Image;
        if (image.IsEmpty)
            return AssistStep.Unknown;
        return operands.TryLocate(instruction, 4, write: true, out ulong linear)
            && operands.TryWrite(linear, 4, XsaveImage.Mxcsr(image))
                ? AssistStep.Done
                : AssistStep.MemoryFault;
    }

    private bool HasKeys => cpu.Has(AssistFeatures.Pku) && (cpu.Sregs.cr4 & ProtectionKeys) != 0;

    private AssistStep ReadKeys()
    {
        if (!HasKeys)
            return AssistStep.InvalidOpcode;
        if ((uint)cpu.Regs.rcx != 0)
            return AssistStep.GeneralProtection;
        ReadOnlySpan<byte> image = extended.Image;
        (int offset, int size) = layout.Standard(Pkru);
        if (size < 4 || offset + 4 > image.Length)
            return AssistStep.Unknown;
        cpu.Regs.rax = BitConverter.ToUInt32(image[offset..]);
        cpu.Regs.rdx = 0;
        return AssistStep.Done;
    }

    private AssistStep WriteKeys()
    {
        if (!HasKeys)
            return AssistStep.InvalidOpcode;
        if ((uint)cpu.Regs.rcx != 0 || (uint)cpu.Regs.rdx != 0)
            return AssistStep.GeneralProtection;
        Span<byte> image = extended.Image;
        (int offset, int size) = layout.Standard(Pkru);
        if (size < 4 || offset + 4 > image.Length)
            return AssistStep.Unknown;
        XsaveImage.Write(image, offset, (uint)cpu.Regs.rax);
        XsaveImage.Write(image, XsaveImage.XstateBvAt, XsaveImage.XstateBv(image) | 1 << Pkru);
        extended.KeepImage();
        return AssistStep.Done;
    }
}
