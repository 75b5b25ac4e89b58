using System.Text.Json;

namespace MiniVmm.Lab.Tests;

/// <summary><c>minivmm test</c> with Linux: what it prints when all is well, when it has no root, and when it stays.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class TestCommandTests
{
    [Fact]
    public async Task Linux_passes_panics_reboots_and_stays()
    {
        const string folder = "/tmp/linux-tests";
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync($"{folder}/minivmm-tests.json", $$"""
            {
              "defaults": { "timeout": 180, "mem": "256M", "initrd": "{{Lab.Guest("linux-initramfs.gz")}}" },
              "tests": [
                { "name": "passes", "image": "{{Lab.Guest("vmlinuz-cloud")}}", "smp": 2, "append": "console=ttyS0 panic=-1 quiet lab.do=report,poweroff",
                  "expect": ["{{GuestReport.Begin.Trim()}}", "{{GuestReport.End.Trim()}}"] },
                { "name": "reboots", "image": "{{Lab.Guest("vmlinuz-cloud")}}", "append": "console=ttyS0 panic=-1 quiet lab.do=reboot",
                  "expect": "{{GuestReport.End.Trim()}}" },
                { "name": "panics", "image": "{{Lab.Guest("vmlinuz-cloud")}}", "append": "console=ttyS0 panic=-1 quiet rdinit=/nowhere init=/nowhere" },
                { "name": "stays", "image": "{{Lab.Guest("vmlinuz-cloud")}}", "append": "console=ttyS0 panic=-1 quiet lab.do=report,obey",
                  "until": "{{GuestReport.End.Trim()}}" }
              ]
            }
            """);

        (int status, string output, string errors) = await LabHost.TryShellAsync($"'{Lab.MiniVmm}' test --jobs 2 --json {folder}");

        Assert.True(status == 1, $"{status}\n{output}\n{errors}");
        using JsonDocument report = JsonDocument.Parse(output);
        Dictionary<string, (string Verdict, string Reason)> tests = report.RootElement.GetProperty("tests").EnumerateArray().ToDictionary(
            test => Path.GetFileName(test.GetProperty("name").GetString()!),
            test => (test.GetProperty("verdict").GetString()!, test.GetProperty("reason").GetString()!));
        Assert.Equal(("pass", "powered off"), tests["passes"]);
        Assert.Equal(("pass", "ran to the text"), tests["stays"]);
        Assert.Equal(("fail", "rebooted before it printed \"lab: end report\""), tests["reboots"]);
        Assert.Equal("panic", tests["panics"].Verdict);
        Assert.Matches("Kernel panic - not syncing: .*; rebooted", tests["panics"].Reason);
    }
}
