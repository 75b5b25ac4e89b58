using System.Globalization;
using MiniVmm.Host;

namespace MiniVmm.Tools.Top;

/// <summary>What a vCPU's thread has had of the processors since it began, in ticks of 10 ms (proc_pid_stat(5)).</summary>
/// <param name="Guest">In the guest.</param>
/// <param name="Kernel">In the kernel, which is KVM for the most part.</param>
/// <param name="Monitor">In MiniVmm itself.</param>
internal readonly record struct VcpuTime(long Guest, long Kernel, long Monitor)
{
    /// <summary>The kernel's USER_HZ.</summary>
    public const int TicksPerSecond = 100;

    // Fields behind the name, from 0: 11 is utime, which includes 40, guest_time; 12 is stime.
    private const int UserTime = 11, SystemTime = 12, GuestTime = 40;

    /// <summary>Of each vCPU of a machine, by its number; none where its process has ended, or is somebody else's affair.</summary>
    public static Dictionary<int, VcpuTime> Read(HostFiles files, long process)
    {
        Dictionary<int, VcpuTime> times = [];
        string tasks = string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/task");
        foreach (string task in files.List(tasks) ?? [])
        {
            if (files.ReadLine($"{tasks}/{task}/stat") is { } line && TryParse(line, out int vcpu, out VcpuTime time))
                times[vcpu] = time;
        }

        return times;
    }

    public static VcpuTime operator -(VcpuTime left, VcpuTime right) =>
        new(left.Guest - right.Guest, left.Kernel - right.Kernel, left.Monitor - right.Monitor);

    private static bool TryParse(string line, out int vcpu, out VcpuTime time)
    {
        const string Thread = "(vcpu";
        (vcpu, time) = (0, default);
        int name = line.IndexOf(Thread, StringComparison.Ordinal), end = line.LastIndexOf(") ", StringComparison.Ordinal);
        if (name < 0 || end < name || !int.TryParse(line.AsSpan((name + Thread.Length)..end), NumberStyles.None, CultureInfo.InvariantCulture, out vcpu))
            return false;
        string[] fields = line[(end + 2)..].Split(' ');
        if (fields.Length <= GuestTime
            || !long.TryParse(fields[UserTime], CultureInfo.InvariantCulture, out long user)
            || !long.TryParse(fields[SystemTime], CultureInfo.InvariantCulture, out long kernel)
            || !long.TryParse(fields[GuestTime], CultureInfo.InvariantCulture, out long guest))
        {
            return false;
        }

        time = new(guest, kernel, Math.Max(user - guest, 0));
        return true;
    }
}
