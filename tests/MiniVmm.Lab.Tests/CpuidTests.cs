using System.Text.Json;

namespace MiniVmm.Lab.Tests;

/// <summary><c>minivmm cpuid</c> where KVM answers CPUID from its table alone.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class CpuidTests
{
    // What follows CR4 and XCR0 as the guest sets them: OSXSAVE in leaf 1, OSPKE in leaf 7, the XSAVE area's size now.
    private static readonly (uint Function, string Register)[] Following = [(1, "ecx"), (7, "ecx"), (0xD, "ebx")];

    [Theory]
    [InlineData("host")]
    [InlineData("qemu64")]
    public async Task A_guest_reads_what_KVM_was_given(string cpu)
    {
        using JsonDocument document = JsonDocument.Parse(await LabHost.MiniVmmAsync($"cpuid --cpu {cpu} --smp 2,cores=2 --json"));

        Dictionary<string, uint> read = Registers(document.RootElement.GetProperty("guest"));
        Dictionary<string, uint> given = Registers(document.RootElement.GetProperty("given")[0].GetProperty("leaves"));
        string[] differing = [.. given.Where(register => register.Value != read.GetValueOrDefault(register.Key)).Select(register => register.Key)];
        Assert.True(given.Count > 40);
        Assert.Empty(differing);
    }

    private static Dictionary<string, uint> Registers(JsonElement leaves)
    {
        Dictionary<string, uint> registers = [];
        foreach (JsonElement leaf in leaves.EnumerateArray())
        {
            uint function = leaf.GetProperty("function").GetUInt32();
            foreach (string register in (string[])["eax", "ebx", "ecx", "edx"])
            {
                if (!Following.Contains((function, register)))
                    registers[$"{function:x}.{leaf.GetProperty("index")} {register}"] = leaf.GetProperty(register).GetUInt32();
            }
        }

        return registers;
    }
}
