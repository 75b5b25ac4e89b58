using System.Globalization;
using System.Text;
using Iced.Intel;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Diagnostics;

/// <summary>
/// Why a guest died: which vCPU, what KVM reported, the registers, the code at RIP, and a guess in plain words.
/// </summary>
internal static unsafe class CrashReport
{
    private const int CodeBytes = 48;
    private const int Instructions = 6;

    /// <summary>Inspects a vCPU that has left the guest for good, and writes the report.</summary>
    /// <param name="thread">The vCPU's thread; it has ended.</param>
    /// <param name="memory">The guest's RAM, for the code at RIP.</param>
    public static string Write(VcpuThread thread, GuestMemory memory)
    {
        KvmVcpu vcpu = thread.Vcpu;
        CrashState state;
        try
        {
            state = Capture(vcpu, memory);
        }
        catch (KvmException refusal)
        {
            // After a bug of its own KVM answers every call with EIO; the guest died all the same.
            (string known, _) = Explain(thread, default);
            return $"vCPU {thread.Index} died: {known}\n  no registers: {refusal.Message}\n";
        }

        (string reason, string? guess) = Explain(thread, state);

        StringBuilder text = new();
        text.AppendLine(CultureInfo.InvariantCulture, $"vCPU {thread.Index} died: {reason}");
        if (guess is not null)
            text.AppendLine(CultureInfo.InvariantCulture, $"  guess: {guess}");
        if (PendingException(vcpu) is { } exception)
            text.AppendLine(CultureInfo.InvariantCulture, $"  last exception: {exception}");
        AppendRegisters(text, state);
        AppendCode(text, state);
        return text.ToString();
    }

    private static CrashState Capture(KvmVcpu vcpu, GuestMemory memory)
    {
        kvm_regs regs = vcpu.GetRegs();
        kvm_sregs sregs = vcpu.GetSregs();
        byte[] code = LinearMemory.Read(vcpu, memory, LinearMemory.Address(sregs.cs, sregs, regs.rip), CodeBytes);
        bool stack = LinearMemory.Read(vcpu, memory, LinearMemory.Address(sregs.ss, sregs, regs.rsp) - 8, 8).Length == 8;
        bool idt = LinearMemory.Read(vcpu, memory, sregs.idt.@base, 8).Length == 8;
        return new CrashState(regs, sregs, code.Length > 0, stack, idt, code)
        {
            SupervisorEmulated = EmulatedSupervisor.IsOn(new HostFiles()),
        };
    }

    private static (string Reason, string? Guess) Explain(VcpuThread thread, in CrashState state)
    {
        kvm_run* run = thread.Vcpu.Run;
        if (thread.EntryError != 0)
            return ($"KVM_RUN failed: {Errno.Explain(thread.EntryError)}", null);

        switch ((KvmExitReason)run->exit_reason)
        {
            case KvmExitReason.KVM_EXIT_SHUTDOWN:
                return ("triple fault (KVM_EXIT_SHUTDOWN)", CrashGuess.OfTripleFault(state));
            case KvmExitReason.KVM_EXIT_FAIL_ENTRY:
                ulong hardware = run->fail_entry.hardware_entry_failure_reason;
                return (
                    $"the processor refused to enter the guest (KVM_EXIT_FAIL_ENTRY, hardware reason 0x{hardware:x})",
                    "the guest state is one that the processor's virtualisation does not allow; "
                    + "the registers below show it");
            case KvmExitReason.KVM_EXIT_INTERNAL_ERROR:
                return InternalError(run, state);
            case KvmExitReason other:
                return ($"an exit that MiniVmm does not handle: {other} ({run->exit_reason})", null);
        }
    }

    private static (string Reason, string? Guess) InternalError(kvm_run* run, in CrashState state)
    {
        uint suberror = run->@internal.suberror;
        string what = suberror switch
        {
            KvmConstants.KVM_INTERNAL_ERROR_EMULATION => "KVM could not emulate an instruction",
            KvmConstants.KVM_INTERNAL_ERROR_SIMUL_EX => "exceptions came at once in a way KVM cannot deliver",
            KvmConstants.KVM_INTERNAL_ERROR_DELIVERY_EV => "KVM failed while it delivered an event",
            KvmConstants.KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON =>
                "the processor left the guest for a reason KVM does not know",
            _ => "KVM gave up",
        };
        StringBuilder data = new();
        for (int i = 0; i < Math.Min(run->@internal.ndata, 16u); i++)
            data.Append(CultureInfo.InvariantCulture, $" {run->@internal.data[i]:x}");
        string reason =
            $"{what} (KVM_EXIT_INTERNAL_ERROR, suberror {suberror}{(data.Length > 0 ? $", data{data}" : "")})";
        string? guess = suberror == KvmConstants.KVM_INTERNAL_ERROR_EMULATION
            ? CrashGuess.OfEmulation(state)
            : CrashGuess.OfKvmsLimit(state);
        return (reason, guess);
    }

    private static string? PendingException(KvmVcpu vcpu)
    {
        kvm_vcpu_events events = vcpu.GetVcpuEvents();
        if (events.exception.injected == 0)
            return null;
        string code = events.exception.has_error_code != 0 ? $", error code 0x{events.exception.error_code:x}" : "";
        return $"{ExceptionName(events.exception.nr)} (vector {events.exception.nr}{code})";
    }

    private static string ExceptionName(byte vector) => vector switch
    {
        0 => "#DE divide error",
        1 => "#DB debug",
        3 => "#BP breakpoint",
        6 => "#UD invalid opcode",
        8 => "#DF double fault",
        10 => "#TS invalid TSS",
        11 => "#NP segment not present",
        12 => "#SS stack fault",
        13 => "#GP general protection",
        14 => "#PF page fault",
        _ => "exception",
    };

    private static void AppendRegisters(StringBuilder text, in CrashState state)
    {
        kvm_regs r = state.Regs;
        kvm_sregs s = state.Sregs;
        Row(text, ("rip", r.rip), ("rflags", r.rflags), ("rsp", r.rsp), ("rbp", r.rbp));
        Row(text, ("rax", r.rax), ("rbx", r.rbx), ("rcx", r.rcx), ("rdx", r.rdx));
        Row(text, ("rsi", r.rsi), ("rdi", r.rdi), ("r8", r.r8), ("r9", r.r9));
        Row(text, ("r10", r.r10), ("r11", r.r11), ("r12", r.r12), ("r13", r.r13));
        Row(text, ("r14", r.r14), ("r15", r.r15), ("efer", s.efer), ("apic", s.apic_base));
        Row(text, ("cr0", s.cr0), ("cr2", s.cr2), ("cr3", s.cr3), ("cr4", s.cr4));
        string mode = s.cs.l != 0 ? "64-bit long mode"
            : (s.cr0 & 1) == 0 ? "real mode"
            : s.cs.db != 0 ? "32-bit protected mode" : "16-bit protected mode";
        string paging = (s.cr0 >> 31) != 0 ? "on" : "off";
        text.Append(CultureInfo.InvariantCulture, $"  {mode}, paging {paging}; ")
            .Append(CultureInfo.InvariantCulture, $"cs {s.cs.selector:x4} base {s.cs.@base:x} limit {s.cs.limit:x}, ")
            .AppendLine(CultureInfo.InvariantCulture, $"ss {s.ss.selector:x4}, ds {s.ds.selector:x4}")
            .Append(CultureInfo.InvariantCulture, $"  gdt {s.gdt.@base:x} limit {s.gdt.limit:x}, ")
            .Append(CultureInfo.InvariantCulture, $"idt {s.idt.@base:x} limit {s.idt.limit:x}, ")
            .AppendLine(CultureInfo.InvariantCulture, $"tr {s.tr.selector:x4}");
    }

    private static void Row(StringBuilder text, params ReadOnlySpan<(string Name, ulong Value)> registers)
    {
        text.Append(' ');
        foreach ((string name, ulong value) in registers)
            text.Append(CultureInfo.InvariantCulture, $" {name,-6} {value:x16}");
        text.AppendLine();
    }

    private static void AppendCode(StringBuilder text, in CrashState state)
    {
        if (state.Code.Length == 0)
        {
            text.AppendLine("  code at rip: not mapped");
            return;
        }

        text.AppendLine("  code at rip:");
        byte[] code = state.Code.ToArray();
        int bits = state.Sregs.cs.l != 0 ? 64 : state.Sregs.cs.db != 0 ? 32 : 16;
        Iced.Intel.Decoder decoder = Iced.Intel.Decoder.Create(bits, new ByteArrayCodeReader(code), state.Regs.rip);
        FastFormatter formatter = new();
        FastStringOutput output = new();
        for (int i = 0; i < Instructions; i++)
        {
            int offset = (int)(decoder.IP - state.Regs.rip);
            Instruction instruction = decoder.Decode();
            if (decoder.LastError == DecoderError.NoMoreBytes)
                break;
            output.Clear();
            formatter.Format(instruction, output);
            string bytes = Convert.ToHexStringLower(code.AsSpan(offset, instruction.Length));
            text.AppendLine(
                CultureInfo.InvariantCulture, $"  {(i == 0 ? '>' : ' ')} {instruction.IP:x16}  {bytes,-22}  {output}");
        }
    }
}
