using System.Globalization;
using System.Text;
using MiniVmm.Display;
using MiniVmm.Execution;
using MiniVmm.Kvm;
using MiniVmm.Memory;
using MiniVmm.Symbols;

namespace MiniVmm.Diagnostics;

/// <summary>
/// The report on a guest's end: where each vCPU was if it was ended from outside, and what is on a text screen that nobody
/// saw.
/// </summary>
internal static class EndReport
{
    /// <summary>One line for each vCPU, or for several in a row in the same place; empty if none has run.</summary>
    /// <param name="vcpus">The vCPUs; their threads have ended.</param>
    /// <param name="memory">Guest RAM.</param>
    /// <param name="kernel">The kernel's file, for its symbols.</param>
    public static string OfVcpus(IReadOnlyList<VcpuThread> vcpus, GuestMemory memory, KernelImage kernel)
    {
        ArgumentNullException.ThrowIfNull(vcpus);
        ArgumentNullException.ThrowIfNull(kernel);
        return vcpus.All(vcpu => vcpu.Statistics.Total == 0)
            ? ""
            : Group([.. vcpus.Select(vcpu => (vcpu.Index, vcpu.IsParked ? "taken out" : Describe(vcpu.Vcpu, memory, kernel.Symbols)))]);
    }

    /// <summary>The text screen, if it holds text that was not printed elsewhere; else empty.</summary>
    /// <param name="screen">The screen.</param>
    /// <param name="printed">What the user has seen of the guest lately.</param>
    public static string OfScreen(GuestScreen screen, ReadOnlySpan<byte> printed)
    {
        ArgumentNullException.ThrowIfNull(screen);
        IReadOnlyList<string> lines = ScreenText.Unseen(screen.Text, printed);
        if (lines.Count == 0)
            return "";
        StringBuilder text = new("text screen at 0xb8000, at the end:\n");
        foreach (string line in lines)
            text.Append("  | ").Append(line).Append('\n');
        return text.ToString();
    }

    /// <summary>"vCPU 0: …", "vCPUs 1-3: …", one a line.</summary>
    internal static string Group(IReadOnlyList<(int Index, string Standing)> standings)
    {
        StringBuilder text = new();
        for (int first = 0; first < standings.Count;)
        {
            int end = first + 1;
            while (end < standings.Count && standings[end] == (standings[end - 1].Index + 1, standings[first].Standing))
                end++;
            (int index, string standing) = standings[first];
            string who = end - first == 1 ? $"vCPU {index}" : $"vCPUs {index}-{standings[end - 1].Index}";
            text.Append(CultureInfo.InvariantCulture, $"{who}: {standing}\n");
            first = end;
        }

        return text.ToString();
    }

    private static string Describe(KvmVcpu vcpu, GuestMemory memory, KernelSymbols? symbols)
    {
        try
        {
            return VcpuStanding.Capture(vcpu, memory).Describe((linear, physical) => symbols?.Name(linear, physical));
        }
        catch (KvmException refusal)
        {
            return $"no registers: {refusal.Message}";
        }
    }
}
