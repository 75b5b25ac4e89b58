using System.Buffers.Binary;
using System.Text;
using MiniVmm.Inspection;
using MiniVmm.Kvm;

namespace MiniVmm.Diagnostics;

/// <summary>
/// The notes of a vCPU in an ELF core: NT_PRSTATUS as Linux writes it for x86-64 (struct elf_prstatus), and QEMU's QEMUCPUState, by
/// which crash(8) knows the control registers.
/// </summary>
internal static class CoreNotes
{
    private const uint PrStatus = 1;
    private const int PrStatusBytes = 336;
    private const int PidAt = 32;
    private const int RegistersAt = 112;
    private const int QemuStateBytes = 440;

    /// <summary>Both notes of a vCPU.</summary>
    /// <param name="index">Its index; the thread's number is one more, as 0 is nobody's.</param>
    /// <param name="view">Its registers.</param>
    public static byte[] Of(int index, GuestView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        return [.. Note("CORE", PrStatus, Status(index, view)), .. Note("QEMU", 0, Qemu(view))];
    }

    private static byte[] Status(int index, GuestView view)
    {
        byte[] status = new byte[PrStatusBytes];
        BinaryPrimitives.WriteInt32LittleEndian(status.AsSpan(PidAt), index + 1);
        ref readonly kvm_regs r = ref view.Regs;
        ref readonly kvm_sregs s = ref view.Sregs;
        ReadOnlySpan<ulong> registers =
        [
            r.r15, r.r14, r.r13, r.r12, r.rbp, r.rbx, r.r11, r.r10, r.r9, r.r8, r.rax, r.rcx, r.rdx, r.rsi, r.rdi, ulong.MaxValue,
            r.rip, s.cs.selector, r.rflags, r.rsp, s.ss.selector, s.fs.@base, s.gs.@base, s.ds.selector, s.es.selector, s.fs.selector,
            s.gs.selector,
        ];
        for (int i = 0; i < registers.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(status.AsSpan(RegistersAt + i * 8), registers[i]);
        return status;
    }

    private static byte[] Qemu(GuestView view)
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream);
        ref readonly kvm_regs r = ref view.Regs;
        ref readonly kvm_sregs s = ref view.Sregs;
        writer.Write(1u);
        writer.Write((uint)QemuStateBytes);
        foreach (ulong value in (ReadOnlySpan<ulong>)
            [r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rsp, r.rbp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rip, r.rflags])
            writer.Write(value);
        foreach (kvm_segment segment in (ReadOnlySpan<kvm_segment>)[s.cs, s.ds, s.es, s.fs, s.gs, s.ss, s.ldt, s.tr])
        {
            writer.Write((uint)segment.selector);
            writer.Write(segment.limit);
            writer.Write(Flags(segment));
            writer.Write(0u);
            writer.Write(segment.@base);
        }

        foreach (kvm_dtable table in (ReadOnlySpan<kvm_dtable>)[s.gdt, s.idt])
        {
            writer.Write(0u);
            writer.Write((uint)table.limit);
            writer.Write(0UL);
            writer.Write(table.@base);
        }

        foreach (ulong control in (ReadOnlySpan<ulong>)[s.cr0, 0, s.cr2, s.cr3, s.cr4])
            writer.Write(control);
        writer.Write(0UL); // kernel_gs_base, an MSR
        writer.Flush();
        byte[] state = stream.ToArray();
        Array.Resize(ref state, QemuStateBytes);
        return state;
    }

    /// <summary>A descriptor's second word, as QEMU keeps it.</summary>
    private static uint Flags(in kvm_segment segment) =>
        (uint)(segment.type << 8 | segment.s << 12 | segment.dpl << 13 | segment.present << 15 | segment.avl << 20 | segment.l << 21
            | segment.db << 22 | segment.g << 23);

    private static byte[] Note(string name, uint type, byte[] contents)
    {
        byte[] text = Encoding.ASCII.GetBytes(name + "\0");
        byte[] note = new byte[12 + Padded(text.Length) + Padded(contents.Length)];
        BinaryPrimitives.WriteUInt32LittleEndian(note, (uint)text.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(note.AsSpan(4), (uint)contents.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(note.AsSpan(8), type);
        text.CopyTo(note, 12);
        contents.CopyTo(note, 12 + Padded(text.Length));
        return note;
    }

    private static int Padded(int length) => length + 3 & ~3;
}
