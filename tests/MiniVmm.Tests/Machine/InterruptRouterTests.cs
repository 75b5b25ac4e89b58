using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Machine;

namespace MiniVmm.Tests.Machine;

public sealed class InterruptRouterTests
{
    private readonly InterruptRouter _router;
    private kvm_irq_routing_entry[] _table = [];
    private bool _refuses;

    public InterruptRouterTests() => _router = new(Set);

    [Fact]
    public void The_lines_of_a_PC_are_routed_from_the_start() =>
        Assert.Equal(InterruptRouter.Pins().Select(Text), _table.Select(Text));

    [Fact]
    public void Lines_of_the_PCI_bus_go_to_the_8259s_where_firmware_routes_them()
    {
        _router.RoutePci([10, 11, 0x80, 11]);

        Assert.Equal([16u], First8259s(10));
        Assert.Equal([17u, 19u], First8259s(11));
        Assert.Equal([5u], First8259s(5));
        Assert.Equal(InterruptRouter.Pins().Length + 1, _table.Length);
    }

    [Fact]
    public void Routes_that_KVM_refuses_are_not_taken()
    {
        _refuses = true;
        Assert.Throws<KvmException>(() => _router.RoutePci([10, 10, 11, 11]));
        _refuses = false;
        _router.AddMessage(0xfee0_1000, 0x41);
        Assert.Equal([10u], First8259s(10));
    }

    private IEnumerable<uint> First8259s(uint line) => _table
        .Where(route => route.type == KvmConstants.KVM_IRQ_ROUTING_IRQCHIP
            && route.u.irqchip.irqchip == (line < 8 ? KvmConstants.KVM_IRQCHIP_PIC_MASTER : KvmConstants.KVM_IRQCHIP_PIC_SLAVE)
            && route.u.irqchip.pin == line % 8)
        .Select(route => route.gsi);

    [Fact]
    public void Messages_get_the_lines_behind_the_pins_and_a_free_one_is_used_again()
    {
        uint first = _router.AddMessage(0xfee0_1000, 0x41);
        uint second = _router.AddMessage(0xfee0_2000, 0x42);
        Assert.Equal((24u, 25u), (first, second));

        _router.RemoveMessage(first);
        _router.RemoveMessage(first);

        Assert.Equal([("25", "fee02000 42")], Messages());
        Assert.Equal(24u, _router.AddMessage(0x1_fee0_3000, 0x43));
        Assert.Equal([("24", "1fee03000 43"), ("25", "fee02000 42")], Messages());
    }

    [Fact]
    public void A_line_sends_another_message_once_it_is_set()
    {
        uint gsi = _router.AddMessage(0xfee0_1000, 0x41);

        _router.SetMessage(gsi, 0xfee0_2000, 0x51);

        Assert.Equal([("24", "fee02000 51")], Messages());
        Assert.Throws<ArgumentException>(() => _router.SetMessage(4, 0xfee0_2000, 0x51));
        Assert.Throws<ArgumentException>(() => _router.SetMessage(25, 0xfee0_2000, 0x51));
    }

    [Fact]
    public void What_KVM_refuses_leaves_the_table_as_it_was()
    {
        uint gsi = _router.AddMessage(0xfee0_1000, 0x41);
        _refuses = true;
        Assert.Throws<KvmException>(() => _router.AddMessage(0xfee0_1000, 0x42));
        Assert.Throws<KvmException>(() => _router.SetMessage(gsi, 0xfee0_1000, 0x43));
        _refuses = false;

        _router.AddMessage(0xfee0_1000, 0x44);

        Assert.Equal([("24", "fee01000 41"), ("25", "fee01000 44")], Messages());
    }

    private void Set(ReadOnlySpan<kvm_irq_routing_entry> routes)
    {
        if (_refuses)
            throw new KvmException("KVM_SET_GSI_ROUTING", Errno.EINVAL, "routes");
        _table = routes.ToArray();
    }

    private IEnumerable<(string Gsi, string Message)> Messages() => _table
        .Where(route => route.type == KvmConstants.KVM_IRQ_ROUTING_MSI)
        .Select(route => (
            $"{route.gsi}",
            $"{((ulong)route.u.msi.address_hi << 32) | route.u.msi.address_lo:x} {route.u.msi.data:x}"));

    private static string Text(kvm_irq_routing_entry route) =>
        $"{route.gsi} {route.type} {route.u.irqchip.irqchip} {route.u.irqchip.pin}";
}
