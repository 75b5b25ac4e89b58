using MiniVmm.Firmware;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>
/// Where each of a VM's interrupt lines (GSIs) goes: those of a PC to the pins of KVM's controllers, as
/// <see cref="InterruptWiring"/> promises the guest, further ones to messages. KVM takes the table whole, so each change
/// sets all of it. Safe from any thread.
/// </summary>
public sealed class InterruptRouter
{
    /// <summary>Pins of the I/O APIC, and so the GSIs that are not free for messages.</summary>
    public const uint IoApicPins = 24;

    private readonly SetRoutes _setRoutes;
    private byte[] _pciLines; // of the 8259s, one for each line of the PCI bus, or one that there is not
    private readonly Lock _lock = new();
    private kvm_irq_routing_entry[] _messages = []; // by GSI, ascending

    /// <summary>Sets the PC's routes; KVM's interrupt controllers must be there.</summary>
    /// <exception cref="KvmException">There are no controllers.</exception>
    public InterruptRouter(KvmVm vm)
        : this(vm.SetGsiRouting)
    {
    }

    internal InterruptRouter(SetRoutes setRoutes, bool hasPci = false)
    {
        _setRoutes = setRoutes;
        _pciLines = hasPci ? [.. InterruptWiring.PciIsaLines] : [];
        Commit([]);
    }

    internal delegate void SetRoutes(ReadOnlySpan<kvm_irq_routing_entry> routes);

    /// <summary>A further line, on which an edge sends a message-signalled interrupt (SDM vol. 3, 11.11).</summary>
    /// <param name="address">Message address.</param>
    /// <param name="data">Message data.</param>
    /// <returns>Its GSI.</returns>
    /// <exception cref="KvmException">No such message, or no more routes.</exception>
    public uint AddMessage(ulong address, uint data)
    {
        lock (_lock)
        {
            int at = 0;
            while (at < _messages.Length && _messages[at].gsi == IoApicPins + at)
                at++;
            uint gsi = IoApicPins + (uint)at;
            Commit([.. _messages[..at], Message(gsi, address, data), .. _messages[at..]]);
            return gsi;
        }
    }

    /// <summary>Has a line of <see cref="AddMessage"/> send another message from now on.</summary>
    /// <exception cref="ArgumentException">There is no such line.</exception>
    /// <exception cref="KvmException">No such message; the line sends the old one.</exception>
    public void SetMessage(uint gsi, ulong address, uint data)
    {
        lock (_lock)
        {
            int at = Array.FindIndex(_messages, route => route.gsi == gsi);
            if (at < 0)
                throw new ArgumentException($"GSI {gsi} sends no messages", nameof(gsi));
            Commit([.. _messages[..at], Message(gsi, address, data), .. _messages[(at + 1)..]]);
        }
    }

    /// <summary>Takes a line of <see cref="AddMessage"/> back; without effect where it is gone.</summary>
    /// <exception cref="KvmException">The call failed; the line is still there.</exception>
    public void RemoveMessage(uint gsi)
    {
        lock (_lock)
        {
            kvm_irq_routing_entry[] rest = Array.FindAll(_messages, route => route.gsi != gsi);
            if (rest.Length < _messages.Length)
                Commit(rest);
        }
    }

    /// <summary>Wires the lines of the PCI bus to other inputs of the 8259s, as firmware programs a PIIX3.</summary>
    /// <param name="lines">One for each of <see cref="InterruptWiring.PciLines"/>: 3 to 15, or any other number for none.</param>
    /// <exception cref="KvmException">The call failed; they are wired as before.</exception>
    internal void RoutePci(byte[] lines)
    {
        lock (_lock)
        {
            byte[] before = _pciLines;
            try
            {
                _pciLines = lines;
                Commit(_messages);
            }
            catch
            {
                _pciLines = before;
                throw;
            }
        }
    }

    /// <summary>
    /// Each ISA line to its 8259 and to the I/O APIC, and the remaining I/O APIC pins to the GSI of their number.
    /// </summary>
    /// <param name="hasPci">Whether lines of the 8259s are those of a PCI bus.</param>
    internal static kvm_irq_routing_entry[] Pins(bool hasPci = false) => Pins(hasPci ? [.. InterruptWiring.PciIsaLines] : []);

    private static kvm_irq_routing_entry[] Pins(byte[] pciLines)
    {
        List<kvm_irq_routing_entry> routes = [];
        for (byte irq = 0; irq < InterruptWiring.IsaIrqs; irq++)
        {
            if (irq == InterruptWiring.CascadeIrq)
                continue;
            uint chip = irq < 8 ? KvmConstants.KVM_IRQCHIP_PIC_MASTER : KvmConstants.KVM_IRQCHIP_PIC_SLAVE;
            if (!pciLines.Contains(irq))
                routes.Add(Pin(irq, chip, irq % 8u));
            for (int i = 0; i < pciLines.Length; i++)
            {
                if (pciLines[i] == irq)
                    routes.Add(Pin(InterruptWiring.PciLines[i], chip, irq % 8u));
            }

            routes.Add(Pin(irq, KvmConstants.KVM_IRQCHIP_IOAPIC, InterruptWiring.IoApicPin(irq)));
        }

        for (uint pin = InterruptWiring.IsaIrqs; pin < IoApicPins; pin++)
            routes.Add(Pin(pin, KvmConstants.KVM_IRQCHIP_IOAPIC, pin));
        return [.. routes];
    }

    private static kvm_irq_routing_entry Pin(uint gsi, uint chip, uint pin)
    {
        kvm_irq_routing_entry entry = new() { gsi = gsi, type = KvmConstants.KVM_IRQ_ROUTING_IRQCHIP };
        entry.u.irqchip.irqchip = chip;
        entry.u.irqchip.pin = pin;
        return entry;
    }

    private static kvm_irq_routing_entry Message(uint gsi, ulong address, uint data)
    {
        kvm_irq_routing_entry entry = new() { gsi = gsi, type = KvmConstants.KVM_IRQ_ROUTING_MSI };
        entry.u.msi.address_lo = (uint)address;
        entry.u.msi.address_hi = (uint)(address >> 32);
        entry.u.msi.data = data;
        return entry;
    }

    /// <summary>The messages are those that KVM has: a table that it refuses changes nothing.</summary>
    private void Commit(kvm_irq_routing_entry[] messages)
    {
        _setRoutes([.. Pins(_pciLines), .. messages]);
        _messages = messages;
    }
}
