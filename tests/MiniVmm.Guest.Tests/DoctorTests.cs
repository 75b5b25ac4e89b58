using System.Text.Json;
using MiniVmm.Host;
using MiniVmm.Kvm;

namespace MiniVmm.Guest.Tests;

/// <summary><c>minivmm doctor</c> on this machine.</summary>
public sealed class DoctorTests
{
    [Fact]
    public async Task Here_guests_run_and_the_kind_of_KVM_is_told_by_its_speed()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("doctor", "--json");

        using JsonDocument document = JsonDocument.Parse(run.With(ExitStatus.Success).Output);
        Assert.True(document.RootElement.GetProperty("canRun").GetBoolean());
        Assert.Equal(EmulatedSupervisor.IsOn(new HostFiles()), document.RootElement.GetProperty("emulatesSupervisorCode").GetBoolean());
    }

    [Fact]
    public async Task For_people_it_ends_with_the_verdict()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("doctor");

        Assert.StartsWith("Guests can run here", run.With(ExitStatus.Success).Output.TrimEnd().Split('\n')[^1], StringComparison.Ordinal);
        Assert.Contains("KVM_CAP_IRQCHIP", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_user_who_may_not_open_KVM_is_told_how_to_be_let_in()
    {
        MinivmmResult run = await OtherUser.RunAsync("doctor");

        Assert.Contains("may not open /dev/kvm", run.With(ExitStatus.HostLimit).Output, StringComparison.Ordinal);
        Assert.Contains("Guests cannot run here:", run.Output, StringComparison.Ordinal);
    }
}
