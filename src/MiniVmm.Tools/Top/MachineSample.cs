using System.Text.Json;

namespace MiniVmm.Tools.Top;

/// <summary>A machine at one moment: what its control socket answers to <c>info</c> and <c>stats</c>, and its threads' times.</summary>
internal sealed class MachineSample
{
    private MachineSample(JsonElement info, JsonElement stats, Dictionary<int, VcpuTime> times)
    {
        Name = info.GetProperty("name").GetString() ?? "";
        State = info.GetProperty("state").GetString() ?? "";
        Kernel = info.GetProperty("kernel").GetString() ?? "";
        Uptime = TimeSpan.FromSeconds(stats.GetProperty("uptimeSeconds").GetDouble());
        Times = times;
        foreach (JsonElement vcpu in stats.GetProperty("vcpus").EnumerateArray())
        {
            Exits.Add(Numbers(vcpu.GetProperty("byReason")));
            Counted.Add(vcpu.TryGetProperty("kvm", out JsonElement counts) ? Numbers(counts) : null);
            Measured.Add(vcpu.TryGetProperty("kvmNanoseconds", out JsonElement measured) ? Numbers(measured) : null);
        }

        JsonElement memory = stats.GetProperty("memory");
        Ram = memory.GetProperty("ramBytes").GetInt64();
        Resident = memory.GetProperty("residentBytes").GetInt64();
        Swapped = memory.GetProperty("swappedBytes").GetInt64();
        if (memory.TryGetProperty("balloon", out JsonElement balloon) && balloon.ValueKind == JsonValueKind.Object)
            Balloon = (balloon.GetProperty("actualBytes").GetInt64(), balloon.GetProperty("targetBytes").GetInt64());
        foreach (JsonElement device in stats.GetProperty("devices").EnumerateArray())
        {
            string name = device.GetProperty("name").GetString() ?? "";
            foreach (JsonProperty counter in device.GetProperty("counters").EnumerateObject())
                Devices[(name, counter.Name)] = counter.Value.GetInt64();
        }
    }

    public string Name { get; }

    public string State { get; }

    public string Kernel { get; }

    public TimeSpan Uptime { get; }

    /// <summary>By vCPU, how often it came out of the guest for each reason.</summary>
    public List<Dictionary<string, long>?> Exits { get; } = [];

    /// <summary>By vCPU, the events that KVM itself counts; null where it counts none, and for a vCPU that a device holds up.</summary>
    public List<Dictionary<string, long>?> Counted { get; } = [];

    /// <summary>By vCPU, the times that KVM itself measures, in nanoseconds, the same way.</summary>
    public List<Dictionary<string, long>?> Measured { get; } = [];

    public IReadOnlyDictionary<int, VcpuTime> Times { get; }

    /// <summary>Bytes of guest RAM, what the balloon holds included.</summary>
    public long Ram { get; }

    /// <summary>Bytes of the process that are in the host's memory.</summary>
    public long Resident { get; }

    /// <summary>Bytes of the process in the host's swap.</summary>
    public long Swapped { get; }

    /// <summary>Bytes that the balloon holds, and that it is to hold; null without one.</summary>
    public (long Actual, long Target)? Balloon { get; }

    public Dictionary<(string Device, string Counter), long> Devices { get; } = [];

    /// <summary>Null where the answers are not of the kind that this program knows.</summary>
    public static MachineSample? Of(JsonElement info, JsonElement stats, Dictionary<int, VcpuTime> times)
    {
        try
        {
            return new(info, stats, times);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null; // another version's
        }
    }

    private static Dictionary<string, long> Numbers(JsonElement counters)
    {
        Dictionary<string, long> numbers = [];
        foreach (JsonProperty counter in counters.EnumerateObject())
            numbers[counter.Name] = counter.Value.GetInt64();
        return numbers;
    }
}
