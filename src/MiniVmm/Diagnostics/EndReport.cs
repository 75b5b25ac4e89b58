using System.Globalization;
using System.Text;
using MiniVmm.Boot;
using MiniVmm.Display;
using MiniVmm.Execution;
using MiniVmm.Kvm;
using MiniVmm.Memory;

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
    public static string OfVcpus(IReadOnlyList<VcpuThread> vcpus, GuestMemory memory, string kernel)
    {
        ArgumentNullException.ThrowIfNull(vcpus);
        if (vcpus.All(vcpu => vcpu.Statistics.Total == 0))
            return "";
        using NativeBuffer? file = TryRead(kernel);
        ElfSymbols? symbols = file is null ? null : ElfSymbols.Find(file.Memory);
        return Group([.. vcpus.Select(vcpu => vcpu.IsParked ? "taken out" : Describe(vcpu.Vcpu, memory, symbols))]);
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
    internal static string Group(IReadOnlyList<string> standings)
    {
        StringBuilder text = new();
        for (int first = 0; first < standings.Count;)
        {
            int end = first + 1;
            while (end < standings.Count && standings[end] == standings[first])
                end++;
            string who = end - first == 1 ? $"vCPU {first}" : $"vCPUs {first}-{end - 1}";
            text.Append(CultureInfo.InvariantCulture, $"{who}: {standings[first]}\n");
            first = end;
        }

        return text.ToString();
    }

    private static string Describe(KvmVcpu vcpu, GuestMemory memory, ElfSymbols? symbols)
    {
        try
        {
            return VcpuStanding.Capture(vcpu, memory).Describe((linear, physical) => symbols?.Describe(linear, physical));
        }
        catch (KvmException refusal)
        {
            return $"no registers: {refusal.Message}";
        }
    }

    /// <summary>
    /// The kernel's file again, as its memory was given back after the start; null where it cannot be read now.
    /// </summary>
    private static NativeBuffer? TryRead(string kernel)
    {
        try
        {
            return InputFile.Read(kernel, OptionName.Kernel);
        }
        catch (VmmException)
        {
            return null;
        }
    }
}
