using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Explain;

/// <summary>The registers that a vCPU begins with, drawn.</summary>
internal static class RegisterImage
{
    /// <summary>Writes those that the calls left in a vCPU; nothing for one that was not given any, as it waits for INIT and SIPI.</summary>
    public static void Write(TextWriter output, IReadOnlyList<ObservedCall> calls, int vcpu)
    {
        ObservedCall? general = Last(calls, vcpu, KvmIoctl.KVM_SET_REGS);
        ObservedCall? special = Last(calls, vcpu, KvmIoctl.KVM_SET_SREGS);
        if (special is null)
        {
            output.WriteLine(vcpu == 0
                ? $"vcpu{vcpu} begins as after a reset: real mode, at 0xfffffff0."
                : $"vcpu{vcpu} waits for INIT and SIPI, which another processor's local APIC sends.");
            return;
        }

        kvm_sregs sregs = special.Read<kvm_sregs>(0);
        output.WriteLine($"vcpu{vcpu} begins in {Mode(sregs)}:");
        if (general is not null)
            WriteGeneral(output, general);
        WriteSegments(output, special);
        output.WriteLine($"  gdt {sregs.gdt.@base,16:x}+{sregs.gdt.limit:x}   idt {sregs.idt.@base:x}+{sregs.idt.limit:x}");
        output.WriteLine($"  cr0 {CallText.Bits("cr0", sregs.cr0)}   cr3 {KvmField.Plain(sregs.cr3)}   cr4 {CallText.Bits("cr4", sregs.cr4)}   efer {CallText.Bits("efer", sregs.efer)}");
    }

    private static void WriteGeneral(TextWriter output, ObservedCall call)
    {
        string line = "";
        int column = 0;
        foreach (KvmField field in KvmStructures.Find("kvm_regs").Fields)
        {
            line += $"  {field.Name,-6} {field.Read(call.Block),16:x}";
            if (++column % 4 != 0)
                continue;
            output.WriteLine(line);
            line = "";
        }

        if (line.Length > 0)
            output.WriteLine(line);
    }

    private static void WriteSegments(TextWriter output, ObservedCall call)
    {
        output.WriteLine("      selector             base    limit  type  dpl  db  l  g");
        foreach (KvmField field in KvmStructures.Find("kvm_sregs").Fields)
        {
            if (field.Structure?.Name != "kvm_segment")
                continue;
            kvm_segment segment = call.Read<kvm_segment>(field.Offset);
            if (segment.present == 0)
                continue;
            output.WriteLine($"  {field.Name}  {segment.selector,8:x} {segment.@base,16:x} {segment.limit,8:x} {segment.type,5:x} {segment.dpl,4} {segment.db,3} {segment.l,2} {segment.g,2}");
        }
    }

    private static string Mode(in kvm_sregs sregs)
    {
        const ulong protectedMode = 1;
        const ulong paging = 1ul << 31;
        if ((sregs.cr0 & protectedMode) == 0)
            return "real mode";
        if (sregs.cs.l != 0)
            return "long mode, with paging";
        return (sregs.cr0 & paging) != 0 ? "protected mode, with paging" : "protected mode, without paging";
    }

    private static ObservedCall? Last(IReadOnlyList<ObservedCall> calls, int vcpu, uint request) =>
        calls.LastOrDefault(call => call.Request == request && call.Target == CallTarget.Vcpu && call.Vcpu == vcpu);
}
