using System.Text.Json;

namespace MiniVmm.Guest.Tests;

/// <summary><c>minivmm cpuid</c> against what a test kernel reads by itself.</summary>
public sealed class CpuidTests
{
    private const string Shape = "4,cores=2,threads=2";

    [Theory]
    [InlineData("host")]
    [InlineData("EPYC")]
    public async Task What_it_says_is_what_a_kernel_reads(string cpu)
    {
        MinivmmResult said = await MinivmmProcess.RunAsync("cpuid", "--cpu", cpu, "--smp", Shape, "--json");
        MinivmmResult read = await MinivmmProcess.RunAsync("run", "--cpu", cpu, "--smp", Shape, Built.Guest("hello.elf"));

        using JsonDocument document = JsonDocument.Parse(said.With(ExitStatus.Success).Output);
        string kernel = read.With(ExitStatus.Success).Output;
        Assert.Contains($"  processor     {Fact(document, "vendor")}, {Fact(document, "name")}\n", kernel, StringComparison.Ordinal);
        Assert.Contains($"  hypervisor    {Fact(document, "hypervisor")}\n", kernel, StringComparison.Ordinal);
        Assert.Equal(4, document.RootElement.GetProperty("given").GetArrayLength());
        foreach (JsonElement vcpu in document.RootElement.GetProperty("given").EnumerateArray())
            Assert.Contains($"    cpu {vcpu.GetProperty("vcpu")}    APIC id {vcpu.GetProperty("apicId")}    socket ", kernel, StringComparison.Ordinal);
        Assert.StartsWith("2, ", Fact(document, "threads of a core"), StringComparison.Ordinal);
        Assert.StartsWith("4, ", Fact(document, "threads of a socket"), StringComparison.Ordinal);
        Assert.Contains("1 socket x 2 cores x 2 threads", kernel, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_that_does_not_exist_is_refused_as_by_run()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("cpuid", "--cpu", "nosuch");

        Assert.StartsWith("--cpu nosuch", run.With(ExitStatus.BadInput).OnlyLine(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_may_not_open_KVM_is_told_so()
    {
        MinivmmResult run = await OtherUser.RunAsync("cpuid");

        Assert.StartsWith("/dev/kvm: permission denied", run.With(ExitStatus.HostLimit).OnlyLine(), StringComparison.Ordinal);
    }

    private static string Fact(JsonDocument document, string name) =>
        document.RootElement.GetProperty("facts").GetProperty("guest").EnumerateArray()
            .Single(fact => fact.GetProperty("name").GetString() == name).GetProperty("value").GetString()!;
}
