using System.Text.Json;

namespace MiniVmm.Guest.Tests;

/// <summary>What <c>minivmm bench exits --json</c> wrote.</summary>
internal sealed class ExitsReport
{
    private readonly JsonElement _root;

    public ExitsReport(string json) => _root = JsonDocument.Parse(json).RootElement;

    /// <summary>Every kind there is, in the order of the tables.</summary>
    public static string[] Kinds { get; } =
    [
        "immediate-exit", "pio-out", "pio-in", "rep-outs", "mmio-write", "mmio-read", "ioeventfd-pio",
        "ioeventfd-pio-woken", "ioeventfd-mmio", "ioeventfd-mmio-woken", "coalesced-pio", "coalesced-mmio", "cpuid",
        "rdmsr", "hypercall", "hlt-irqfd", "ipi", "kick",
    ];

    public JsonElement Settings => _root.GetProperty("settings");

    public IEnumerable<JsonElement> Loops => _root.GetProperty("loops").EnumerateArray();

    public IEnumerable<string?> Names => Loops.Select(loop => loop.GetProperty("name").GetString());

    public JsonElement this[string loop] => Loops.Single(each => each.GetProperty("name").ValueEquals(loop));

    /// <summary>Measures, and reads what comes: with this status, and nothing on standard error.</summary>
    public static async Task<ExitsReport> MeasureAsync(params IEnumerable<string> options)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(["bench", "exits", "--json", .. options]);
        Assert.Equal("", run.With(ExitStatus.Success).Errors);
        return new(run.Output);
    }

    public static bool IsMeasured(JsonElement loop) => loop.TryGetProperty("latency", out _);

    /// <summary>Checks that all of these were measured, and nothing in them speaks against it.</summary>
    public void AssertMeasured(params IEnumerable<string> kinds)
    {
        Assert.Equal(kinds, Names);
        foreach (JsonElement loop in Loops)
        {
            string name = loop.GetProperty("name").GetString()!;
            Assert.True(IsMeasured(loop), loop.ToString());
            Assert.Equal(0, loop.GetProperty("allocatedBytes").GetInt64());
            AssertOrdered(loop.GetProperty("latency"));
            if (loop.GetProperty("clock").ValueEquals("host"))
            {
                AssertOrdered(loop.GetProperty("guest"));
                foreach (JsonProperty part in loop.GetProperty("split").EnumerateObject())
                    AssertOrdered(part.Value);
            }

            JsonElement[] counts = [.. loop.GetProperty("kernelCounts").EnumerateArray()];
            Assert.Equal("fpu_reload", counts[0].GetProperty("counter").GetString());
            Assert.Equal(JsonValueKind.Number, counts[0].GetProperty("counted").ValueKind);
            foreach (JsonElement count in counts)
            {
                Assert.True(count.GetProperty("expected").GetInt64() > 0, name);
                JsonElement counted = count.GetProperty("counted");
                Assert.True(
                    counted.ValueKind == JsonValueKind.Null
                        || counted.GetInt64() == count.GetProperty("expected").GetInt64(),
                    $"{name}: {count}");
            }
        }
    }

    private static void AssertOrdered(JsonElement distribution)
    {
        Assert.True(distribution.GetProperty("count").GetInt64() > 0, distribution.ToString());
        double[] ascending = [.. new[] { "min", "p50", "p90", "p99", "p99.9", "max" }.Select(
            each => distribution.GetProperty(each).GetDouble())];
        Assert.True(ascending[0] >= 0, distribution.ToString());
        Assert.Equal(ascending.Order(), ascending);
        Assert.InRange(distribution.GetProperty("mean").GetDouble(), ascending[0], ascending[^1]);
    }
}
