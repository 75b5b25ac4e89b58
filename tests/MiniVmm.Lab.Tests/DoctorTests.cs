using System.Text.Json;

namespace MiniVmm.Lab.Tests;

/// <summary>What <c>minivmm doctor</c> says of three hosts.</summary>
public sealed class DoctorTests
{
    [Fact]
    [Trait(LabKind.Trait, LabKind.Kvm)]
    [Trait(LabKind.Shared, LabKind.Kvm)]
    public async Task An_ordinary_KVM_runs_supervisor_code_on_the_processor()
    {
        using JsonDocument document = JsonDocument.Parse(await LabHost.MiniVmmAsync("doctor --json"));

        Assert.True(document.RootElement.GetProperty("canRun").GetBoolean());
        Assert.False(document.RootElement.GetProperty("emulatesSupervisorCode").GetBoolean());
        Assert.Equal("kvm_amd", Text(document, "module"));
        Assert.Contains("with AMD-V (svm)", Text(document, "processor"), StringComparison.Ordinal);
    }

    [Fact]
    [Trait(LabKind.Trait, LabKind.Kvm)]
    [Trait(LabKind.Shared, LabKind.Kvm)]
    public async Task Who_may_not_open_it_is_told_how_to_be_let_in()
    {
        string program = $"{Directory.CreateTempSubdirectory().FullName}/minivmm";
        (int status, string output, _) = await LabHost.TryShellAsync(
            $"cp '{Lab.MiniVmm}' {program} && cp '{Lab.MiniVmm}-tools' {program}-tools && chmod 755 $(dirname {program}) && setpriv --reuid 65534 --regid 65534 --clear-groups {program} doctor");

        Assert.Equal(ExitStatus.HostLimit, status);
        Assert.Contains("may not open /dev/kvm", output, StringComparison.Ordinal);
        Assert.Contains("sudo setfacl -m u:nobody:rw /dev/kvm", output, StringComparison.Ordinal);
    }

    [Fact]
    [Trait(LabKind.Trait, LabKind.NoKvm)]
    public async Task Without_a_device_no_guest_can_run()
    {
        (int status, string output, _) = await LabHost.TryShellAsync($"'{Lab.MiniVmm}' doctor");

        Assert.Equal(ExitStatus.HostLimit, status);
        Assert.Contains("/dev/kvm: there is no such file", output, StringComparison.Ordinal);
    }

    private static string? Text(JsonDocument document, string name) =>
        document.RootElement.GetProperty("findings").EnumerateArray()
            .Single(finding => finding.GetProperty("name").GetString() == name).GetProperty("text").GetString();
}
