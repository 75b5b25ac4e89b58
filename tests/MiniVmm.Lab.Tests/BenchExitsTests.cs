using System.Text.Json;

namespace MiniVmm.Lab.Tests;

/// <summary>
/// <c>minivmm bench exits</c> on a KVM that runs the guest on the processor: there the kernel counts more, and every
/// count must be right. What the durations are means nothing here.
/// </summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class BenchExitsTests
{
    private static readonly string[] Kinds =
    [
        "immediate-exit", "pio-out", "pio-in", "rep-outs", "mmio-write", "mmio-read", "ioeventfd-pio",
        "ioeventfd-pio-woken", "ioeventfd-mmio", "ioeventfd-mmio-woken", "coalesced-pio", "coalesced-mmio", "cpuid",
        "rdmsr", "hypercall", "hlt-irqfd", "ipi", "kick",
    ];

    /// <summary>The kinds that the kernel has a counter of their own for, here all of them kept.</summary>
    private static readonly Dictionary<string, string> Counters = new()
    {
        ["pio-out"] = "io_exits",
        ["pio-in"] = "io_exits",
        ["mmio-write"] = "mmio_exits",
        ["mmio-read"] = "mmio_exits",
        ["hypercall"] = "hypercalls",
        ["hlt-irqfd"] = "halt_exits",
        ["kick"] = "signal_exits",
    };

    [Fact]
    public async Task Every_kind_is_measured_and_the_kernel_agrees_with_every_count()
    {
        JsonElement report = await MeasureAsync("exits");

        Assert.Equal(JsonValueKind.Number, report.GetProperty("guestInstruction").ValueKind);
        JsonElement[] loops = [.. report.GetProperty("loops").EnumerateArray()];
        Assert.Equal(Kinds, loops.Select(loop => loop.GetProperty("name").GetString()));
        Assert.All(loops, AssertMeasured);
    }

    [Fact]
    public async Task Threads_that_share_one_processor_make_no_count_wrong()
    {
        JsonElement report = await MeasureAsync("exits-one-cpu", "--pin", "0,0", "--only", "kick,hlt-irqfd,ipi");

        Assert.All(report.GetProperty("loops").EnumerateArray(), AssertMeasured);
    }

    private static async Task<JsonElement> MeasureAsync(string name, params string[] options)
    {
        await using VmmProcess vmm = VmmProcess.Start(
            name, Lab.MiniVmm,
            ["bench", "exits", "--count", "200", "--rounds", "2", "--warmup", "20", "--json", .. options]);
        vmm.CloseInput();
        await vmm.AssertExitAsync(ExitStatus.Success);
        Assert.Equal("", vmm.Errors);
        return JsonDocument.Parse(vmm.Output).RootElement;
    }

    private static void AssertMeasured(JsonElement loop)
    {
        string name = loop.GetProperty("name").GetString()!;
        Assert.True(loop.TryGetProperty("latency", out JsonElement latency), loop.ToString());
        Assert.True(latency.GetProperty("count").GetInt64() >= 20, loop.ToString());
        Assert.Equal(0, loop.GetProperty("allocatedBytes").GetInt64());

        JsonElement[] counts = [.. loop.GetProperty("kernelCounts").EnumerateArray()];
        string[] counters = Counters.TryGetValue(name, out string? own) ? ["fpu_reload", own] : ["fpu_reload"];
        Assert.Equal(counters, counts.Select(count => count.GetProperty("counter").GetString()));
        Assert.All(counts, count => AssertCounted(
            name, count, count.GetProperty("expected").GetInt64(), count.GetProperty("counted").GetInt64()));
    }

    private static void AssertCounted(string name, JsonElement count, long expected, long counted)
    {
        // An interrupt that comes before its guest has halted makes a turn without a halt.
        long least = count.GetProperty("counter").GetString() == "halt_exits" ? 1 : expected;
        Assert.True(counted >= least && counted <= expected, $"{name}: {count}");
    }
}
