using System.Globalization;
using System.Text;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Inspection;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Diagnostics;

/// <summary>
/// Why a guest died, or where it hangs: what KVM reported, a diagnosis, and what registers, page tables, descriptor tables and
/// the stack hold, of every vCPU.
/// </summary>
/// <param name="vcpus">The vCPUs; all are out of the guest.</param>
/// <param name="memory">Guest RAM.</param>
/// <param name="kernel">What is known of the kernel's file.</param>
internal sealed unsafe class PostMortem(IReadOnlyList<VcpuThread> vcpus, GuestMemory memory, KernelImage kernel)
{
    /// <summary>Runs the machine again where KVM reset the dead vCPU, and says what that showed; null for not doing so.</summary>
    public Func<VcpuThread, KernelImage, string>? RunAgain { get; init; }

    /// <summary>Most vCPUs that are written of in full; a guest has rarely more kinds of trouble at once.</summary>
    private const int MostInFull = 4;

    /// <summary>Of a vCPU that has left the guest for good; the others come after it, shorter.</summary>
    public string OfDeath(VcpuThread dead)
    {
        ArgumentNullException.ThrowIfNull(dead);
        StringBuilder text = new();
        try
        {
            VcpuSnapshot snapshot = VcpuSnapshot.Take(dead.Vcpu, memory);
            text.Append(CultureInfo.InvariantCulture, $"vCPU {dead.Index} died: {Reason(dead)}\n");
            if (dead.HasShutDown && FaultDiagnosis.IsAfterReset(snapshot.View.Regs, snapshot.View.Sregs))
                WriteReset(text, dead);
            else
                Write(text, dead, snapshot);
        }
        catch (KvmException refusal)
        {
            // After a bug of its own KVM answers every call with EIO; the guest died all the same.
            text.Clear();
            text.Append(CultureInfo.InvariantCulture, $"vCPU {dead.Index} died: {Reason(dead)}\n  no registers: {refusal.Message}\n");
        }

        AppendOthers(text, dead);
        return text.ToString();
    }

    /// <summary>Of all vCPUs of a machine that was ended from outside, or stands still: each of them runs, or waits.</summary>
    public string OfHang()
    {
        if (vcpus.All(vcpu => vcpu.Statistics.Total == 0))
            return "";
        StringBuilder text = new(Standings(vcpus));
        AppendInShort(text, vcpus, ended: false);
        return text.ToString();
    }

    /// <summary>Registers, code, stack and last exits of those that run, or wait for something.</summary>
    /// <param name="text">Where it is written.</param>
    /// <param name="some">Which; no more than a few of them.</param>
    /// <param name="ended">Whether they were ended by another's death: that they wait is no trouble then.</param>
    private void AppendInShort(StringBuilder text, IEnumerable<VcpuThread> some, bool ended)
    {
        int written = 0;
        foreach (VcpuThread vcpu in some)
        {
            if (vcpu.IsParked || written == MostInFull)
                continue;
            try
            {
                VcpuSnapshot snapshot = VcpuSnapshot.Take(vcpu.Vcpu, memory);
                if (snapshot.MpState is KvmConstants.KVM_MP_STATE_UNINITIALIZED or KvmConstants.KVM_MP_STATE_INIT_RECEIVED)
                    continue;
                text.Append(CultureInfo.InvariantCulture, $"vCPU {vcpu.Index}, {ProcessorMode.Describe(snapshot.View)}:\n");
                if (!ended && HangDiagnosis.Of(snapshot, vcpu.Vcpu) is { } finding)
                    text.Append(CultureInfo.InvariantCulture, $"  cause: {finding.Text} [{finding.Name}]\n");
                PostMortemText sections = new(text, snapshot.View, kernel);
                sections.Registers();
                sections.Code();
                sections.Stack();
                ExitText.Append(text, vcpu.Statistics.Last);
                written++;
            }
            catch (KvmException)
            {
                // Its line above says so.
            }
        }
    }

    /// <summary>Where each vCPU was, one a line.</summary>
    public string OfVcpus() => Standings(vcpus);

    /// <summary>Of the death of a machine that was run again, without its first line.</summary>
    /// <param name="dead">The vCPU.</param>
    /// <param name="recorder">What it was like before its last instruction.</param>
    public string OfRecordedDeath(VcpuThread dead, FaultRecorder recorder)
    {
        ArgumentNullException.ThrowIfNull(dead);
        ArgumentNullException.ThrowIfNull(recorder);
        VcpuSnapshot snapshot = VcpuSnapshot.Take(dead.Vcpu, memory);
        GuestView view = new(recorder.Regs, recorder.Sregs, memory) { PhysicalBits = snapshot.View.PhysicalBits };
        StringBuilder text = new();
        text.Append(
            CultureInfo.InvariantCulture,
            $"  KVM on AMD resets a vCPU at a triple fault; a second run, its last {recorder.Steps} instructions step by step, came to this:\n");
        Write(text, dead, snapshot with { View = view }, recorder);
        return text.ToString();
    }

    private void Write(StringBuilder text, VcpuThread dead, VcpuSnapshot snapshot, FaultRecorder? recorder = null)
    {
        GuestView view = snapshot.View;
        Diagnosis diagnosis = recorder is { CouldFetch: true } && CodeFetch.Check(view) is not null
            ? FaultDiagnosis.OfLostTables
            : Diagnose(dead, snapshot);
        if (diagnosis.Cause is { } cause)
            text.Append(CultureInfo.InvariantCulture, $"  cause: {cause.Text} [{cause.Name}]\n");
        PostMortemText sections = new(text, view, kernel);
        sections.Where(recorder?.Before is var (regs, sregs) ? new GuestView(regs, sregs, memory).Rip : null);
        if (diagnosis.Handling is { } handling)
            text.Append(CultureInfo.InvariantCulture, $"  unhandled: {handling.Text} [{handling.Name}]\n");
        sections.Mode();
        sections.Registers();
        sections.Code();
        sections.Walk("rip", view.Rip);
        sections.Walk("rsp", view.Linear(view.Sregs.ss, view.Regs.rsp));
        if (view.Sregs.cr2 != 0 && view.Sregs.cr2 != view.Rip)
            sections.Walk("cr2", view.Sregs.cr2);
        sections.Tables(Vectors(view));
        sections.Stack();
        ExitText.Append(text, dead.Statistics.Last);
    }

    /// <summary>Where KVM has reset the vCPU at its triple fault.</summary>
    private void WriteReset(StringBuilder text, VcpuThread dead)
    {
        string told = RunAgain?.Invoke(dead, kernel) ?? "";
        if (told.StartsWith("  ", StringComparison.Ordinal))
        {
            text.Append(told);
            return;
        }

        text.Append(
            "  KVM on AMD resets a vCPU at a triple fault, so the cause is gone with its registers; the usual one is an exception before "
            + "the kernel had a working IDT\n");
        if (told.Length > 0)
            text.Append("  ").Append(told);
        ExitText.Append(text, dead.Statistics.Last);
    }

    private static IEnumerable<byte> Vectors(GuestView view)
    {
        if (InstructionAnalysis.Find(view) is { } fault)
            yield return fault.Vector;
        yield return ExceptionVector.DoubleFault;
        yield return ExceptionVector.GeneralProtection;
        yield return ExceptionVector.PageFault;
    }

    private Diagnosis Diagnose(VcpuThread dead, VcpuSnapshot snapshot)
    {
        if (dead.EntryError != 0)
            return Diagnosis.None;
        kvm_run* run = dead.Vcpu.Run;
        bool emulated = EmulatedSupervisor.IsOn(new HostFiles());
        switch ((KvmExitReason)run->exit_reason)
        {
            case KvmExitReason.KVM_EXIT_SHUTDOWN:
                Diagnosis fault = FaultDiagnosis.OfTripleFault(snapshot.View, snapshot.Events, kernel);
                return FaultDiagnosis.OfKvmsLimit(snapshot.View, emulated) is { } limit ? new(limit, fault.Handling) : fault;
            case KvmExitReason.KVM_EXIT_FAIL_ENTRY:
                return new(
                    new(
                        "failed-entry",
                        "the guest state is one that the processor's virtualisation does not allow; the registers below show it"),
                    null);
            case KvmExitReason.KVM_EXIT_INTERNAL_ERROR:
                if (FaultDiagnosis.OfKvmsLimit(snapshot.View, emulated) is { } unable)
                    return new(unable, null);
                return run->@internal.suberror == KvmConstants.KVM_INTERNAL_ERROR_EMULATION
                    ? FaultDiagnosis.OfEmulation(snapshot.View, kernel)
                    : Diagnosis.None;
            default:
                return Diagnosis.None;
        }
    }

    private void AppendOthers(StringBuilder text, VcpuThread dead)
    {
        VcpuThread[] others = [.. vcpus.Where(vcpu => vcpu != dead && vcpu.Statistics.Total + (vcpu.IsParked ? 1 : 0) > 0)];
        if (others.Length == 0)
            return;
        text.Append(Standings(others));
        AppendInShort(text, others, ended: true);
    }

    private string Standings(IReadOnlyList<VcpuThread> some) => EndReport.OfVcpus(some, memory, kernel);

    private static string Reason(VcpuThread thread)
    {
        kvm_run* run = thread.Vcpu.Run;
        if (thread.EntryError != 0)
            return $"KVM_RUN failed: {Errno.Explain(thread.EntryError)}";
        return (KvmExitReason)run->exit_reason switch
        {
            KvmExitReason.KVM_EXIT_SHUTDOWN => "triple fault (KVM_EXIT_SHUTDOWN)",
            KvmExitReason.KVM_EXIT_FAIL_ENTRY =>
                "the processor refused to enter the guest (KVM_EXIT_FAIL_ENTRY, hardware reason "
                + $"0x{run->fail_entry.hardware_entry_failure_reason:x})",
            KvmExitReason.KVM_EXIT_INTERNAL_ERROR => InternalError(run, thread.Assists),
            KvmExitReason other => $"an exit that MiniVmm does not handle: {other} ({run->exit_reason})",
        };
    }

    private static string InternalError(kvm_run* run, bool assists)
    {
        uint suberror = run->@internal.suberror;
        string what = suberror switch
        {
            KvmConstants.KVM_INTERNAL_ERROR_EMULATION =>
                $"KVM could not emulate an instruction{(assists ? "" : ", and MiniVmm's assist is off")}",
            KvmConstants.KVM_INTERNAL_ERROR_SIMUL_EX => "exceptions came at once in a way KVM cannot deliver",
            KvmConstants.KVM_INTERNAL_ERROR_DELIVERY_EV => "KVM failed while it delivered an event",
            KvmConstants.KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON =>
                "the processor left the guest for a reason KVM does not know",
            _ => "KVM gave up",
        };
        StringBuilder data = new();
        for (int i = 0; i < Math.Min(run->@internal.ndata, 16u); i++)
            data.Append(CultureInfo.InvariantCulture, $" {run->@internal.data[i]:x}");
        return $"{what} (KVM_EXIT_INTERNAL_ERROR, suberror {suberror}{(data.Length > 0 ? $", data{data}" : "")})";
    }
}
