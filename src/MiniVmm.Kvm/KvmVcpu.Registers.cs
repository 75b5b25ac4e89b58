using System.Runtime.InteropServices;

namespace MiniVmm.Kvm;

/// <summary>The registers that come in a number which the host's KVM and processor decide.</summary>
public sealed unsafe partial class KvmVcpu
{
    /// <summary>How many MSRs KVM takes in a call: fewer than its MAX_IO_MSRS.</summary>
    private const int MostMsrs = 255;

    /// <summary>Writes model-specific registers, in this order.</summary>
    /// <exception cref="KvmException">
    /// The message names the first MSR that was refused; those before it have been written.
    /// </exception>
    public void SetMsrs(ReadOnlySpan<kvm_msr_entry> entries)
    {
        int room = Math.Min(entries.Length, MostMsrs);
        kvm_msrs* list = AllocateMsrs(room);
        try
        {
            for (int done = 0; done < entries.Length;)
            {
                ReadOnlySpan<kvm_msr_entry> some = entries.Slice(done, Math.Min(room, entries.Length - done));
                some.CopyTo(new Span<kvm_msr_entry>(list + 1, room));
                list->nmsrs = (uint)some.Length;
                int written = KvmCall.Must("KVM_SET_MSRS", Fd, KvmIoctl.KVM_SET_MSRS, list);
                done += written;
                if (written == some.Length)
                    continue;
                throw KvmException.Unusable(
                    "KVM_SET_MSRS",
                    $"MSR 0x{entries[done].index:x} refused 0x{entries[done].data:x} (entry {done + 1} of {entries.Length})",
                    "this KVM or the CPUID table lacks that MSR, or the value is not allowed");
            }
        }
        finally
        {
            NativeMemory.Free(list);
        }
    }

    /// <summary>Reads a model-specific register.</summary>
    /// <returns>Its value; null if KVM does not have it.</returns>
    /// <exception cref="KvmException">The call failed.</exception>
    public ulong? GetMsr(uint index) => GetMsrs([index]) is [var entry] ? entry.data : null;

    /// <summary>Reads a model-specific register without an allocation.</summary>
    /// <returns>False if KVM does not have it.</returns>
    public bool TryGetMsr(uint index, out ulong value)
    {
        OneMsr one = new() { Header = { nmsrs = 1 }, Entry = { index = index } };
        bool read = KvmCall.Try(Fd, KvmIoctl.KVM_GET_MSRS, &one) == 1;
        value = one.Entry.data;
        return read;
    }

    /// <summary>Writes a model-specific register without an allocation.</summary>
    /// <returns>False if KVM does not have it, or refuses the value.</returns>
    public bool TrySetMsr(uint index, ulong value)
    {
        OneMsr one = new() { Header = { nmsrs = 1 }, Entry = { index = index, data = value } };
        return KvmCall.Try(Fd, KvmIoctl.KVM_SET_MSRS, &one) == 1;
    }

    /// <summary>Reads model-specific registers, in this order, but for those that KVM does not have.</summary>
    /// <exception cref="KvmException">The call failed.</exception>
    public kvm_msr_entry[] GetMsrs(ReadOnlySpan<uint> indices)
    {
        List<kvm_msr_entry> read = new(indices.Length);
        int room = Math.Min(indices.Length, MostMsrs);
        kvm_msrs* list = AllocateMsrs(room);
        try
        {
            for (ReadOnlySpan<uint> left = indices; left.Length > 0;)
            {
                Span<kvm_msr_entry> entries = new(list + 1, Math.Min(room, left.Length));
                for (int i = 0; i < entries.Length; i++)
                    entries[i] = new kvm_msr_entry { index = left[i] };
                list->nmsrs = (uint)entries.Length;
                int count = KvmCall.Must("KVM_GET_MSRS", Fd, KvmIoctl.KVM_GET_MSRS, list);
                read.AddRange(entries[..count]);

                // KVM stops at one that it lacks.
                left = left[(count < entries.Length ? count + 1 : count)..];
            }
        }
        finally
        {
            NativeMemory.Free(list);
        }

        return [.. read];
    }

    /// <summary>x87, SSE and extended state, as XSAVE's standard format has it (SDM vol. 1, 13.4).</summary>
    /// <param name="size">What KVM_CAP_XSAVE2 says of the VM, or 4096 where it says nothing.</param>
    /// <exception cref="KvmException">The call failed.</exception>
    public byte[] GetXsave(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, sizeof(kvm_xsave));
        byte[] area = new byte[size];
        fixed (byte* p = area)
        {
            if (size > sizeof(kvm_xsave))
                KvmCall.Must("KVM_GET_XSAVE2", Fd, KvmIoctl.KVM_GET_XSAVE2, p);
            else
                KvmCall.Must("KVM_GET_XSAVE", Fd, KvmIoctl.KVM_GET_XSAVE, p);
        }

        return area;
    }

    /// <summary>The same, of a guest whose state fits KVM_GET_XSAVE's 4096 bytes, without an allocation.</summary>
    /// <param name="area">4096 bytes or more.</param>
    /// <exception cref="KvmException">The guest has more state than that, or the call failed.</exception>
    public void ReadXsave(Span<byte> area)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(area.Length, sizeof(kvm_xsave), nameof(area));
        fixed (byte* p = area)
            KvmCall.Must("KVM_GET_XSAVE", Fd, KvmIoctl.KVM_GET_XSAVE, p);
    }

    /// <param name="area">From <see cref="GetXsave"/>, and as long as this VM's.</param>
    /// <inheritdoc cref="SetFpu"/>
    public void SetXsave(ReadOnlySpan<byte> area)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(area.Length, sizeof(kvm_xsave), nameof(area));
        fixed (byte* p = area)
            KvmCall.Must("KVM_SET_XSAVE", Fd, KvmIoctl.KVM_SET_XSAVE, p);
    }

    /// <summary>The extended control registers; KVM_CAP_XCRS says whether there are any.</summary>
    /// <exception cref="KvmException">The call failed.</exception>
    public kvm_xcrs GetXcrs() => Get<kvm_xcrs>("KVM_GET_XCRS", KvmIoctl.KVM_GET_XCRS);

    /// <exception cref="KvmException">The processor has no such state.</exception>
    public void SetXcrs(in kvm_xcrs registers) => Set("KVM_SET_XCRS", KvmIoctl.KVM_SET_XCRS, in registers);

    /// <summary>Frequency of the guest's time-stamp counter, in kHz; 0 where the host's is not stable.</summary>
    public uint TscKilohertz() => (uint)Math.Max(KvmCall.Try(Fd, KvmIoctl.KVM_GET_TSC_KHZ, 0), 0);

    /// <summary>Sets the frequency of the guest's time-stamp counter.</summary>
    /// <param name="kilohertz">1 or more.</param>
    /// <returns>False where the processor cannot scale its own to that (KVM_CAP_TSC_CONTROL).</returns>
    public bool TrySetTscKhz(uint kilohertz) => KvmCall.Try(Fd, KvmIoctl.KVM_SET_TSC_KHZ, kilohertz) >= 0;

    private static kvm_msrs* AllocateMsrs(int count)
    {
        var list = (kvm_msrs*)NativeMemory.AllocZeroed(
            (nuint)sizeof(kvm_msrs) + (nuint)count * (nuint)sizeof(kvm_msr_entry));
        list->nmsrs = (uint)count;
        return list;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct OneMsr
    {
        public kvm_msrs Header;
        public kvm_msr_entry Entry;
    }
}
