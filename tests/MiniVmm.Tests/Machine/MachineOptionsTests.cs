using MiniVmm.Control;
using MiniVmm.Machine;

namespace MiniVmm.Tests.Machine;

public sealed class MachineOptionsTests
{
    [Fact]
    public void A_name_that_was_given_lasts() =>
        Assert.Equal("web", new MachineOptions { Kernel = "kernel", Name = "web" }.LastingName);

    [Fact]
    public void A_name_of_the_process_number_does_not_and_addresses_of_cards_are_not_made_of_it()
    {
        Assert.Null(new MachineOptions { Kernel = "kernel", Name = MachineName.Default }.LastingName);
        Assert.Null(new MachineOptions { Kernel = "kernel" }.LastingName);
    }
}
