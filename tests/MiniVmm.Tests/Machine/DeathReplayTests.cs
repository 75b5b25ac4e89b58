using MiniVmm.Machine;

namespace MiniVmm.Tests.Machine;

public sealed class DeathReplayTests
{
    private static readonly MachineOptions Plain = new() { Kernel = "kernel" };

    [Fact]
    public void A_machine_that_touches_nothing_of_the_hosts_can_be_run_again() =>
        Assert.Null(DeathReplay.Obstacle(Plain with { Shares = [new() { Folder = "/srv", ReadOnly = true }] }, dead: 0));

    [Fact]
    public void A_folder_that_the_guest_may_change_is_not_changed_twice() =>
        Assert.Equal(
            "it may change a folder of the host",
            DeathReplay.Obstacle(Plain with { Shares = [new() { Folder = "/ro", ReadOnly = true }, new() { Folder = "/srv" }] }, dead: 0));

    [Fact]
    public void A_processor_that_came_later_is_not_there_in_the_second_run() =>
        Assert.Equal(
            "vCPU 2 was not there at the start",
            DeathReplay.Obstacle(Plain with { Topology = new(sockets: 4, cores: 1, threads: 1, count: 2) }, dead: 2));
}
