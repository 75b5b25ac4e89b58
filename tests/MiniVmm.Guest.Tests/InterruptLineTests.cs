using MiniVmm.Kvm;

namespace MiniVmm.Guest.Tests;

/// <summary>Interrupt lines as KVM's own I/O APIC sees them.</summary>
public sealed class InterruptLineTests : IClassFixture<UsableKvm>, IDisposable
{
    private readonly KvmSystem _kvm = KvmSystem.Open();
    private readonly KvmVm _vm;

    public InterruptLineTests() => _vm = _kvm.CreateVm();

    public void Dispose()
    {
        _vm.Dispose();
        _kvm.Dispose();
    }

    [Theory]
    [InlineData(9u)]
    [InlineData(23u)]
    public void A_line_is_up_from_the_call_that_asserts_it_to_the_one_that_takes_it_back(uint gsi)
    {
        _vm.CreateIrqChip();

        _vm.SetIrqLine(gsi, true);
        Assert.Equal(1u << (int)gsi, Requests());
        _vm.SetIrqLine(gsi, true);
        Assert.Equal(1u << (int)gsi, Requests());
        _vm.SetIrqLine(gsi, false);
        Assert.Equal(0u, Requests());
    }

    [Fact]
    public void Without_interrupt_controllers_there_is_no_line()
    {
        KvmException error = Assert.Throws<KvmException>(() => _vm.SetIrqLine(9, true));

        Assert.Contains("KVM_IRQ_LINE", error.Message, StringComparison.Ordinal);
    }

    /// <summary>The pins of the I/O APIC with an interrupt requested.</summary>
    private uint Requests() => _vm.GetIrqChip(KvmConstants.KVM_IRQCHIP_IOAPIC).chip.ioapic.irr;
}
