using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>
/// The state of a vCPU: registers of all kinds, its local APIC, and the events that wait for it. Not its CPUID table, which
/// follows from the options; and not that of a guest which runs guests itself.
/// </summary>
/// <param name="kvm">Says which MSRs there are.</param>
/// <param name="vm">The vCPU's VM.</param>
/// <param name="thread">Its thread, which does the work, and is paused or not started.</param>
internal sealed class VcpuRegisters(KvmSystem kvm, KvmVm vm, VcpuThread thread) : ISuspendable
{
    private const uint Tsc = 0x10;

    /// <summary>KVM takes a counter of 0 for that of a vCPU that has just come: it gets the others' (kvm_synchronize_tsc).</summary>
    private const ulong InStep = 0;
    private const uint TscDeadline = 0x6e0;
    private const uint MachineCheckCapabilities = 0x179;
    private const uint FirstMachineCheckBank = 0x400;

    /// <summary>Hyper-V's, with counters that run; the first is what a guest that uses them calls itself.</summary>
    private const uint FirstHyperV = 0x4000_0000;
    private const uint LastHyperV = 0x4000_0fff;
    private const ulong Cr4VmxEnabled = 1 << 13;
    private const ulong EferSvmEnabled = 1 << 12;

    private const int MostMsrs = 4096;

    // Newer kernels list them by themselves: default type, the variable ones, the fixed ones.
    private static readonly uint[] Mtrrs =
    [
        0x2ff, .. Range(0x200, 16), 0x250, 0x258, 0x259, .. Range(0x268, 8),
    ];

    public string StateName => "vcpu";

    public ushort StateVersion => 1;

    /// <exception cref="KvmException">KVM does not say.</exception>
    /// <exception cref="HostLimitException">The guest runs guests of its own.</exception>
    public void Save(StateWriter writer) => thread.Invoke(vcpu => Save(vcpu, writer));

    public void Restore(StateReader reader)
    {
        try
        {
            thread.Invoke(vcpu => Restore(vcpu, reader));
        }
        catch (KvmException refusal)
        {
            throw reader.Impossible(refusal.Message);
        }
    }

    /// <summary>
    /// Notes the registers as they are now, of a vCPU whose thread has not been started, and gives what brings them back on
    /// its thread: all but the time-stamp counter, which goes in step with the other vCPUs' then.
    /// </summary>
    /// <exception cref="KvmException">KVM does not say.</exception>
    public Action<KvmVcpu> Remember()
    {
        StateWriter writer = new();
        Save(thread.Vcpu, writer, keepsTime: false);
        byte[] fields = writer.ToArray();
        return vcpu => Restore(vcpu, new StateReader(fields));
    }

    private void Save(KvmVcpu vcpu, StateWriter writer, bool keepsTime = true)
    {
        // First: an INIT or a SIPI that waits is taken by this call, and changes registers.
        uint state = vcpu.GetMpState();
        kvm_sregs special = vcpu.GetSregs();
        if ((special.cr4 & Cr4VmxEnabled) != 0 || (special.efer & EferSvmEnabled) != 0)
        {
            throw new HostLimitException(
                $"vCPU {thread.Index} has virtualization of its own on, the state of which MiniVmm cannot save; "
                + "give the guest a CPU without vmx or svm");
        }

        if (vcpu.GetMsr(FirstHyperV) is > 0)
        {
            throw new HostLimitException(
                $"vCPU {thread.Index} uses Hyper-V's interface, the state of which MiniVmm does not save; give the guest a CPU "
                + "without hv-");
        }

        writer.WriteUInt32((uint)vcpu.Id);
        writer.WriteUInt32(vcpu.TscKilohertz());
        writer.WriteUInt32(state);
        writer.WriteStructure(vcpu.GetRegs());
        writer.WriteStructure(special);
        writer.WriteBytes(vcpu.GetXsave(XsaveSize()));
        writer.WriteStructure(HasXcrs() ? vcpu.GetXcrs() : default);
        writer.WriteStructure(vcpu.GetDebugRegs());
        writer.WriteStructure(vcpu.GetLapic());
        writer.WriteStructure(vcpu.GetVcpuEvents());
        kvm_msr_entry[] msrs = ReadMsrs(vcpu);
        writer.WriteUInt16((ushort)msrs.Length);
        foreach (kvm_msr_entry msr in msrs)
        {
            writer.WriteUInt32(msr.index);
            writer.WriteUInt64(keepsTime || msr.index != Tsc ? msr.data : InStep);
        }
    }

    private void Restore(KvmVcpu vcpu, StateReader reader)
    {
        _ = vcpu.GetMpState(); // an INIT or a SIPI that waits is taken, so that none comes after
        uint id = reader.ReadUInt32();
        reader.Check(id == vcpu.Id, $"APIC id {id} for vCPU {thread.Index}, which has {vcpu.Id}");
        uint kilohertz = reader.ReadUInt32();
        uint state = reader.ReadUInt32();
        kvm_regs general = reader.ReadStructure<kvm_regs>();
        kvm_sregs special = reader.ReadStructure<kvm_sregs>();
        int size = XsaveSize();
        ReadOnlySpan<byte> xsave = reader.ReadBytes(int.MaxValue);
        reader.Check(
            xsave.Length == size, $"{xsave.Length} bytes of extended state, and this host's processor has {size}");
        kvm_xcrs xcrs = reader.ReadStructure<kvm_xcrs>();
        reader.Check(xcrs.nr_xcrs <= KvmConstants.KVM_MAX_XCRS, $"{xcrs.nr_xcrs} extended control registers");
        kvm_debugregs debug = reader.ReadStructure<kvm_debugregs>();
        kvm_lapic_state lapic = reader.ReadStructure<kvm_lapic_state>();
        kvm_vcpu_events events = reader.ReadStructure<kvm_vcpu_events>();
        kvm_msr_entry[] msrs = ReadMsrs(reader);

        SetTscKilohertz(vcpu, reader, kilohertz);

        // General registers drop events; the APIC's base goes before the APIC, and that before its TSC deadline.
        vcpu.SetSregs(special);
        vcpu.SetRegs(general);
        vcpu.SetXsave(xsave);
        if (xcrs.nr_xcrs > 0)
            vcpu.SetXcrs(xcrs);
        vcpu.SetLapic(lapic);
        WriteMsrs(vcpu, msrs);
        vcpu.SetVcpuEvents(events);
        vcpu.SetMpState(state);
        vcpu.SetDebugRegs(debug);
    }

    private kvm_msr_entry[] ReadMsrs(KvmVcpu vcpu)
    {
        int banks = (int)((vcpu.GetMsr(MachineCheckCapabilities) ?? 0) & 0xff);
        IEnumerable<uint> indices = kvm.GetMsrIndexList()
            .Concat(Mtrrs)
            .Concat(Range(FirstMachineCheckBank, 4 * banks))
            .Distinct()
            .Where(index => index is < FirstHyperV or > LastHyperV)
            .OrderBy(index => (index == TscDeadline, index));
        return vcpu.GetMsrs([.. indices]);
    }

    private static kvm_msr_entry[] ReadMsrs(StateReader reader)
    {
        ushort count = reader.ReadUInt16();
        reader.Check(count <= MostMsrs, $"{count} MSRs");
        kvm_msr_entry[] msrs = new kvm_msr_entry[count];
        foreach (ref kvm_msr_entry msr in msrs.AsSpan())
            msr = new kvm_msr_entry { index = reader.ReadUInt32(), data = reader.ReadUInt64() };
        return msrs;
    }

    /// <summary>Writes those that have another value: some can be read only, and tell of the host.</summary>
    private static void WriteMsrs(KvmVcpu vcpu, kvm_msr_entry[] msrs)
    {
        Dictionary<uint, ulong> now = [];
        foreach (kvm_msr_entry msr in vcpu.GetMsrs([.. msrs.Select(msr => msr.index)]))
            now[msr.index] = msr.data;
        vcpu.SetMsrs([.. msrs.Where(msr => msr.index == Tsc || now.GetValueOrDefault(msr.index) != msr.data)]);
    }

    private static void SetTscKilohertz(KvmVcpu vcpu, StateReader reader, uint kilohertz)
    {
        uint own = vcpu.TscKilohertz();
        long difference = Math.Abs((long)own - kilohertz);
        if (kilohertz == 0 || own == 0 || difference * 1_000_000 <= (long)own * GuestProcessor.TscTolerance)
            return;
        reader.Check(
            vcpu.TrySetTscKhz(kilohertz),
            $"the guest's TSC runs at {kilohertz} kHz, this host's at {own} kHz, and its processor cannot scale it");
    }

    private int XsaveSize() => Math.Max(
        vm.CheckExtension(KvmCapability.KVM_CAP_XSAVE2), System.Runtime.CompilerServices.Unsafe.SizeOf<kvm_xsave>());

    private bool HasXcrs() => vm.CheckExtension(KvmCapability.KVM_CAP_XCRS) != 0;

    private static IEnumerable<uint> Range(uint first, int count) => Enumerable.Range((int)first, count).Select(i => (uint)i);
}
