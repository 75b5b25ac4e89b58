using System.Globalization;

namespace MiniVmm.Memory;

/// <summary>
/// A limit that a cgroup sets on huge pages (the kernel's cgroup-v2.rst, "HugeTLB"; hugetlb.rst for version 1).
/// </summary>
/// <param name="File">The file that holds it.</param>
/// <param name="Limit">Bytes.</param>
/// <param name="Used">Bytes that count against it now.</param>
internal sealed record HugePageCgroup(string File, ulong Limit, ulong Used)
{
    public ulong Left => Limit > Used ? Limit - Used : 0;

    /// <summary>
    /// The tightest limit, of this process' cgroup and its parents, that leaves less than is wanted; null for none.
    /// </summary>
    /// <param name="pageSize">Bytes of a huge page.</param>
    /// <param name="wanted">Bytes.</param>
    public static HugePageCgroup? Find(ulong pageSize, ulong wanted)
    {
        try
        {
            return Find(System.IO.File.ReadAllText("/proc/self/cgroup"), "/sys/fs/cgroup", pageSize, wanted);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <param name="cgroups">The text of /proc/PID/cgroup: lines of "number:controllers:path" (cgroups(7)).</param>
    /// <param name="mount">Where cgroups are mounted.</param>
    /// <inheritdoc cref="Find(ulong, ulong)"/>
    /// <param name="pageSize"/>
    /// <param name="wanted"/>
    internal static HugePageCgroup? Find(string cgroups, string mount, ulong pageSize, ulong wanted)
    {
        string size = pageSize >= MemoryLayout.GiB ? $"{pageSize / MemoryLayout.GiB}GB"
            : pageSize >= MemoryLayout.MiB ? $"{pageSize / MemoryLayout.MiB}MB" : $"{pageSize / MemoryLayout.KiB}KB";
        HugePageCgroup? tightest = null;
        foreach (string line in cgroups.Split('\n'))
        {
            if (line.Split(':', 3) is not [string number, string controllers, ['/', ..] path])
                continue;
            bool second = number == "0" && controllers.Length == 0;
            if (!second && !controllers.Split(',').Contains("hugetlb"))
                continue;
            string top = second ? mount : Path.Combine(mount, "hugetlb");
            (string limit, string used) = second ? ("max", "current") : ("limit_in_bytes", "usage_in_bytes");
            for (string at = path.TrimEnd('/'); ; at = at[..at.LastIndexOf('/')])
            {
                // Reservations by mappings and actual use have a limit each.
                foreach (string kind in (string[])[$"hugetlb.{size}.rsvd.", $"hugetlb.{size}."])
                {
                    string name = $"{top}{at}/{kind}";
                    if (Read(name + limit) is not { } most)
                        continue;
                    HugePageCgroup found = new(name + limit, most, Read(name + used) ?? 0);
                    if (found.Left < wanted && found.Left < (tightest?.Left ?? ulong.MaxValue))
                        tightest = found;
                }

                if (at.Length == 0)
                    break;
            }
        }

        return tightest;
    }

    /// <summary>Null where there is none, or "max".</summary>
    private static ulong? Read(string file)
    {
        try
        {
            return ulong.TryParse(
                System.IO.File.ReadAllText(file).AsSpan().Trim(), CultureInfo.InvariantCulture, out ulong value)
                ? value
                : null;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
