namespace MiniVmm.Lab.Tests;

/// <summary>Processor topologies as Linux sees them, each with another way for the machine to end.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class LinuxTopologyTests
{
    [Fact]
    public async Task Two_sockets_of_two_threads_and_a_reboot_ends_the_machine_with_status_0()
    {
        GuestReport report = await LinuxGuest.ReportAsync(
            "two-sockets", ["--smp", "4,sockets=2,cores=1,threads=2", "--mem", "256M"], last: "reboot");

        new SmpShape(Sockets: 2, Cores: 1, Threads: 2).AssertSeenIn(report);
    }

    [Fact]
    public async Task Three_cores_of_two_threads_and_a_panic_that_reboots_ends_the_machine_with_status_0()
    {
        GuestReport report = await LinuxGuest.ReportAsync(
            "three-cores", ["--smp", "6,cores=3,threads=2", "--mem", "256M"], last: "panic");

        new SmpShape(Sockets: 1, Cores: 3, Threads: 2).AssertSeenIn(report);
    }
}
