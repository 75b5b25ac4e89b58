using System.Text.RegularExpressions;

namespace MiniVmm.Lab.Tests;

/// <summary>
/// The log of a kernel in the lab. QEMU's emulated processor makes it warn of two things whatever the VMM, and
/// those, written down here with their causes, are the only ones let through.
/// </summary>
public static partial class KernelLog
{
    /// <summary>
    /// The lab's processor has no invariant TSC: the scheduler's clock does not count as stable, and tracing says
    /// in these lines that it takes another one.
    /// </summary>
    private static readonly string[] TracingClock =
    [
        "] Unstable clock detected, switching default tracing clock to \"global\"",
        "] If you want to keep using the local clock, then add:",
        "]   \"trace_clock=local\"",
        "] on the kernel command line",
    ];

    /// <summary>The lines of level warning and worse that none of the known causes explains.</summary>
    public static IEnumerable<string> Warnings(IEnumerable<string> log)
    {
        bool inXsaveReport = false;
        foreach (string[] pair in Pairs(log.Where(line => Warning().IsMatch(line))))
        {
            // XSETBV in a nested guest is not intercepted by the emulated SVM, so KVM does not learn of it and
            // CPUID leaf 0xd keeps the size of before. Linux prints a trace and all of the leaf.
            inXsaveReport |= pair[0].EndsWith("[ cut here ]------------", StringComparison.Ordinal) &&
                pair[1].Contains("XSAVE consistency problem", StringComparison.Ordinal);
            // On a host with other work the emulator stands still for a while, in the middle of an interrupt too.
            bool known = inXsaveReport || XsaveLeaf().IsMatch(pair[0]) || TracingClock.Any(pair[0].EndsWith)
                || pair[0].Contains("] hrtimer: interrupt took ", StringComparison.Ordinal);
            if (pair[0].Contains("---[ end trace", StringComparison.Ordinal))
            {
                inXsaveReport = false;
            }

            if (!known)
            {
                yield return pair[0];
            }
        }
    }

    /// <summary>Each line with the one behind it.</summary>
    private static IEnumerable<string[]> Pairs(IEnumerable<string> lines)
    {
        string? previous = null;
        foreach (string line in lines)
        {
            if (previous is not null)
            {
                yield return [previous, line];
            }

            previous = line;
        }

        if (previous is not null)
        {
            yield return [previous, ""];
        }
    }

    [GeneratedRegex("^<[0-4]>")]
    private static partial Regex Warning();

    [GeneratedRegex(@"\] CPUID\[0d, [0-9a-f]{2}\]: ")]
    private static partial Regex XsaveLeaf();
}
