using System.Text.Json;

namespace MiniVmm.Guest.Tests;

/// <summary><c>--explain</c>: the transcript, and the same for programs.</summary>
public sealed class ExplainTests
{
    private static readonly string Hello = Built.Guest("hello.elf");

    [Fact]
    public async Task The_transcript_comes_before_the_guest_and_names_each_call()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--explain", "--smp", "2", Hello);

        string output = run.With(ExitStatus.Success).Output;
        int guest = output.IndexOf("Hello from inside", StringComparison.Ordinal);
        string[] steps =
        [
            "open(\"/dev/kvm\"", "KVM_CREATE_VM", "KVM_GET_SUPPORTED_CPUID, {nent=", "KVM_SET_USER_MEMORY_REGION, {memory_size=0x8000000 (128 MiB)",
            "KVM_CREATE_IRQCHIP", "KVM_CREATE_PIT2, {flags=KVM_PIT_SPEAKER_DUMMY}", "KVM_CREATE_VCPU, 0", "ioctl(vcpu0, KVM_SET_CPUID2",
            "ioctl(vcpu0, KVM_SET_SREGS", "ioctl(vcpu0, KVM_SET_REGS, {rax=0x2badb002", "vcpu0 begins in protected mode", "vcpu1 waits for INIT and SIPI",
        ];
        int at = 0;
        foreach (string step in steps)
        {
            int found = output.IndexOf(step, at, StringComparison.Ordinal);
            Assert.True(found >= at && found < guest, $"{step} is not behind the step before it, and before the guest");
            at = found;
        }

        Assert.All(output[..guest].Split('\n'), line => Assert.InRange(line.Length, 0, 120));
    }

    [Fact]
    public async Task All_its_calls_have_a_name_and_a_reason()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--explain=json", "--virtio", "pci", "--rng", "--smp", "3,maxcpus=4", Hello);

        using JsonDocument document = JsonDocument.Parse(run.With(ExitStatus.Success).Output);
        JsonElement[] calls = [.. document.RootElement.GetProperty("calls").EnumerateArray()];
        Assert.InRange(calls.Length, 40, 400);
        Assert.Empty(calls.Where(call => call.GetProperty("why").ValueKind != JsonValueKind.String)
            .Select(call => $"{call.GetProperty("file")} 0x{call.GetProperty("request").GetUInt32():x}"));
        Assert.DoesNotContain(calls, call => call.GetProperty("file").GetString() == "file");
    }

    [Fact]
    public async Task Another_form_is_refused()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--explain=pascal", Hello);

        Assert.StartsWith("--explain pascal: not text, c or json", run.With(ExitStatus.BadInput).OnlyLine(), StringComparison.Ordinal);
    }
}
