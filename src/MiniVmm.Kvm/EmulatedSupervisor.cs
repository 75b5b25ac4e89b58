using MiniVmm.Host;

namespace MiniVmm.Kvm;

/// <summary>
/// Recognises a KVM that emulates the guest's supervisor code, as kvm_pvm does on a processor without virtualisation,
/// by its module and by what the processor lacks; <c>minivmm bench exits</c> measures it.
/// </summary>
public static class EmulatedSupervisor
{
    /// <summary>Whether this host's KVM does so; false where that cannot be read.</summary>
    /// <param name="files">/sys/module and the flags of /proc/cpuinfo are read (proc_cpuinfo(5)).</param>
    public static bool IsOn(HostFiles files)
    {
        ArgumentNullException.ThrowIfNull(files);
        return files.List("/sys/module")?.Contains("kvm_pvm") == true && LacksVirtualization(files);
    }

    private static bool LacksVirtualization(HostFiles files)
    {
        foreach (ReadOnlySpan<char> line in (files.ReadAllText("/proc/cpuinfo") ?? "").AsSpan().EnumerateLines())
        {
            if (line.StartsWith("flags", StringComparison.Ordinal))
                return !line.ToString().Split(' ', '\t').Any(flag => flag is "vmx" or "svm");
        }

        return false;
    }
}
