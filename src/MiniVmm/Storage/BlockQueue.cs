using System.Globalization;

namespace MiniVmm.Storage;

/// <summary>What sysfs says about a block device's queue (Documentation/ABI/stable/sysfs-block).</summary>
internal static class BlockQueue
{
    /// <summary>Bytes of the smallest discard; 0 if the device cannot discard or does not say.</summary>
    public static uint DiscardGranularity(uint major, uint minor, string sysfs = "/sys")
    {
        // A partition has no queue of its own: its disk, the directory above, has one. The link is resolved first,
        // because ".." after the link's name would be taken as text.
        string links = $"{sysfs}/dev/block";
        string device = Path.Combine(links, new FileInfo($"{links}/{major}:{minor}").LinkTarget ?? "");
        return Read($"{device}/queue/discard_granularity") ?? Read($"{device}/../queue/discard_granularity") ?? 0;
    }

    private static uint? Read(string path)
    {
        try
        {
            return uint.TryParse(File.ReadAllText(path), NumberStyles.AllowTrailingWhite, null, out uint value)
                ? value
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
