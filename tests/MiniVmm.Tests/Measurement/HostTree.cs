using System.Text;
using MiniVmm.Host;

namespace MiniVmm.Tests.Measurement;

/// <summary>A made-up host: files in a temporary folder that stands for <c>/</c>.</summary>
internal sealed class HostTree : IDisposable
{
    private const string Cpu = "/sys/devices/system/cpu";
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("minivmm-test-");

    public HostFiles Files => new(_root.FullName);

    public static HostTree Empty => new();

    /// <summary>A bare-metal Intel host with kvm_intel, set up for measuring.</summary>
    public static HostTree Intel => new HostTree()
        .Add("/proc/cpuinfo", """
            processor	: 0
            vendor_id	: GenuineIntel
            cpu family	: 6
            model		: 106
            model name	: Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz
            stepping	: 6
            microcode	: 0xd0003d1
            flags		: fpu tsc constant_tsc nonstop_tsc vmx tsc_deadline_timer rdtscp tsc_adjust
            vmx flags	: vnmi preemption_timer ept
            bogomips	: 4000.00

            processor	: 1
            vendor_id	: NotLookedAt
            """)
        .Add($"{Cpu}/online", "0-63\n")
        .Add($"{Cpu}/smt/active", "1\n")
        .Add($"{Cpu}/isolated", "2-3\n")
        .Add($"{Cpu}/nohz_full", "2-3\n")
        .Add($"{Cpu}/intel_pstate/no_turbo", "1\n")
        .Add($"{Cpu}/cpu2/cpufreq/scaling_governor", "performance\n")
        .Add($"{Cpu}/cpu2/cpufreq/scaling_driver", "intel_pstate\n")
        .Add($"{Cpu}/cpu3/cpufreq/scaling_governor", "performance\n")
        .Add($"{Cpu}/cpu3/cpufreq/scaling_driver", "intel_pstate\n")
        .Add($"{Cpu}/cpu4/cpufreq/scaling_governor", "powersave\n")
        .Add($"{Cpu}/cpu4/cpufreq/scaling_driver", "intel_pstate\n")
        .Add($"{Cpu}/vulnerabilities/itlb_multihit", "KVM: Mitigation: VMX disabled\n")
        .Add($"{Cpu}/vulnerabilities/meltdown", "Not affected\n")
        .Add($"{Cpu}/vulnerabilities/mmio_stale_data", "Vulnerable: Clear CPU buffers attempted, no microcode\n")
        .Add($"{Cpu}/vulnerabilities/spectre_v2", "Mitigation: Enhanced / Automatic IBRS; IBPB: conditional\n")
        .Add($"{Cpu}/vulnerabilities/srbds", "Unknown: Dependent on hypervisor status\n")
        .Add("/proc/sys/kernel/osrelease", "6.12.9-amd64\n")
        .Add("/proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.9-1 (2025-01-10)\n")
        .Add("/etc/os-release", "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n")
        .Add("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n")
        .Add("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
        .Add("/sys/module/kvm/parameters/halt_poll_ns", "200000\n")
        .Add("/sys/module/kvm/parameters/nx_huge_pages", "N\n")
        .Add("/sys/module/kvm_intel/parameters/ept", "Y\n")
        .Add("/sys/module/kvm_intel/parameters/enable_apicv", "Y\n")
        .Add("/sys/module/kvm_intel/parameters/unrestricted_guest", "Y\n")
        .Add("/sys/module/tun/refcnt", "0\n")
        .Add("/proc/loadavg", "0.05 0.19 12.84 1/83 9068\n");

    /// <summary>An AMD guest without cpufreq, whose KVM does without hardware virtualisation.</summary>
    public static HostTree AmdGuest => new HostTree()
        .Add("/proc/cpuinfo", """
            processor	: 0
            vendor_id	: AuthenticAMD
            cpu family	: 26
            model		: 2
            model name	: AMD EPYC
            stepping	: 1
            microcode	: 0x1000065
            flags		: fpu tsc rdtscp constant_tsc nonstop_tsc tsc_known_freq tsc_deadline_timer hypervisor tsc_adjust
            """)
        .Add($"{Cpu}/online", "0-1\n")
        .Add($"{Cpu}/smt/active", "0\n")
        .Add($"{Cpu}/isolated", "\n")
        .Add($"{Cpu}/nohz_full", "(null)\n")
        .Add($"{Cpu}/vulnerabilities/meltdown", "Not affected\n")
        .Add($"{Cpu}/vulnerabilities/spec_store_bypass", "Vulnerable\n")
        .Add($"{Cpu}/vulnerabilities/spectre_v1", "Mitigation: usercopy/swapgs barriers\n")
        .Add("/proc/sys/kernel/osrelease", "6.18.44\n")
        .Add("/proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC @0\n")
        .Add("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n")
        .Add("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n")
        .Add("/sys/module/kvm/parameters/halt_poll_ns", "0\n")
        .Add("/sys/module/kvm/parameters/nx_huge_pages", "never\n")
        .Add("/sys/module/kvm_pvm/parameters/stats", "N\n")
        .Add("/proc/loadavg", "1.50 0.19 0.84 1/83 9068\n");

    public HostTree Add(string path, string text) => Add(path, Encoding.UTF8.GetBytes(text));

    public HostTree Add(string path, byte[] content)
    {
        string file = Path.Join(_root.FullName, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllBytes(file, content);
        return this;
    }

    /// <summary>A symbolic link, whose target need not be there.</summary>
    public HostTree AddLink(string path, string target)
    {
        string link = Path.Join(_root.FullName, path);
        Directory.CreateDirectory(Path.GetDirectoryName(link)!);
        File.CreateSymbolicLink(link, target);
        return this;
    }

    /// <summary>The same files, each with this content.</summary>
    public HostTree FillWith(byte[] content)
    {
        foreach (FileInfo file in _root.EnumerateFiles("*", SearchOption.AllDirectories))
            File.WriteAllBytes(file.FullName, content);
        return this;
    }

    /// <summary>The same paths, each a folder.</summary>
    public HostTree ReplaceFilesByFolders()
    {
        foreach (FileInfo file in _root.GetFiles("*", SearchOption.AllDirectories))
        {
            file.Delete();
            Directory.CreateDirectory(file.FullName);
        }

        return this;
    }

    public void Dispose() => _root.Delete(recursive: true);
}
