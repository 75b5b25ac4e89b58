using System.Runtime.InteropServices;
using MiniVmm.Host;

namespace MiniVmm.Kvm;

/// <summary>
/// One virtual machine (api.rst, "VM ioctls"). Its calls may come from any thread of the process that made
/// it; KVM serialises them.
/// </summary>
public sealed unsafe class KvmVm : IDisposable
{
    private readonly FileHandle _handle;
    private readonly int _vcpuMmapSize;
    private int _fd;

    internal KvmVm(int fd, int vcpuMmapSize)
    {
        _fd = fd;
        _handle = FileHandle.Hold(fd);
        _vcpuMmapSize = vcpuMmapSize;
    }

    /// <exception cref="ObjectDisposedException">Closed.</exception>
    public int Fd => FileHandle.Open(_fd, this);

    /// <summary>As <see cref="KvmSystem.CheckExtension"/>, for this VM: limits may differ.</summary>
    /// <exception cref="KvmException">The call failed.</exception>
    public int CheckExtension(KvmCapability capability) =>
        KvmCall.Must("KVM_CHECK_EXTENSION", Fd, KvmIoctl.KVM_CHECK_EXTENSION, (nuint)(int)capability);

    /// <summary>Three pages that Intel processors without unrestricted guests run real mode with.</summary>
    /// <param name="address">Guest-physical, below 4 GiB, where no memory slot is.</param>
    /// <exception cref="KvmException">Refused.</exception>
    public void SetTssAddress(ulong address)
    {
        int result = KvmCall.Try(Fd, KvmIoctl.KVM_SET_TSS_ADDR, (nuint)address);
        if (result < 0)
            throw new KvmException("KVM_SET_TSS_ADDR", -result, $"0x{address:x}");
    }

    /// <summary>One page for an identity map, on the same processors; before the first vCPU.</summary>
    /// <param name="address">Guest-physical, below 4 GiB, where no memory slot is.</param>
    /// <exception cref="KvmException">Refused.</exception>
    public void SetIdentityMapAddress(ulong address)
    {
        int result = KvmCall.Try(Fd, KvmIoctl.KVM_SET_IDENTITY_MAP_ADDR, &address);
        if (result < 0)
            throw new KvmException("KVM_SET_IDENTITY_MAP_ADDR", -result, $"0x{address:x}");
    }

    /// <summary>Two 8259A, an I/O APIC, and a local APIC in every vCPU that is made afterwards.</summary>
    /// <exception cref="KvmException">There already, or there is a vCPU.</exception>
    public void CreateIrqChip() => KvmCall.Must("KVM_CREATE_IRQCHIP", Fd, KvmIoctl.KVM_CREATE_IRQCHIP, 0);

    /// <summary>An 8254 on ports 0x40–0x43, after <see cref="CreateIrqChip"/>.</summary>
    /// <param name="flags">KVM_PIT_SPEAKER_DUMMY: port 0x61 in the kernel too.</param>
    /// <exception cref="KvmException">There already, or no irqchip.</exception>
    public void CreatePit2(uint flags = 0)
    {
        kvm_pit_config config = default;
        config.flags = flags;
        KvmCall.Must("KVM_CREATE_PIT2", Fd, KvmIoctl.KVM_CREATE_PIT2, &config);
    }

    /// <summary>Lays host memory into the guest's physical addresses; a size of 0 takes the slot away.</summary>
    /// <param name="slot">From 0 to below KVM_CAP_NR_MEMSLOTS.</param>
    /// <param name="guestAddress">Page-aligned.</param>
    /// <param name="size">In bytes; whole pages.</param>
    /// <param name="hostAddress">Page-aligned; must stay mapped for as long as the slot is there.</param>
    /// <param name="flags">KVM_MEM_* bits.</param>
    /// <exception cref="KvmException">Overlap, misalignment, or no memory.</exception>
    public void SetUserMemoryRegion(uint slot, ulong guestAddress, ulong size, nint hostAddress, uint flags = 0)
    {
        var region = new kvm_userspace_memory_region
        {
            slot = slot,
            flags = flags,
            guest_phys_addr = guestAddress,
            memory_size = size,
            userspace_addr = (ulong)hostAddress,
        };
        int result = KvmCall.Try(Fd, KvmIoctl.KVM_SET_USER_MEMORY_REGION, &region);
        if (result < 0)
        {
            throw new KvmException(
                "KVM_SET_USER_MEMORY_REGION", -result, $"slot {slot}, guest 0x{guestAddress:x}, 0x{size:x} bytes");
        }
    }

    /// <summary>Makes a vCPU and maps its kvm_run.</summary>
    /// <param name="id">From 0 to below KVM_CAP_MAX_VCPU_ID; on x86 it is the local APIC's id.</param>
    /// <exception cref="KvmException">The id is taken or too large, no memory, or no more files.</exception>
    public KvmVcpu CreateVcpu(int id)
    {
        int fd = KvmCall.Try(Fd, KvmIoctl.KVM_CREATE_VCPU, (nuint)id);
        if (fd < 0)
            throw new KvmException("KVM_CREATE_VCPU", -fd, $"id {id}");
        return KvmVcpu.Map(fd, id, _vcpuMmapSize);
    }

    /// <summary>Sets an input of the in-kernel irqchip. Allocates nothing.</summary>
    /// <exception cref="KvmException">No irqchip.</exception>
    public void SetIrqLine(uint gsi, bool level)
    {
        kvm_irq_level line = default;
        line.irq = gsi;
        line.level = level ? 1u : 0u;
        int result = KvmCall.Try(Fd, KvmIoctl.KVM_IRQ_LINE, &line);
        if (result < 0)
            throw new KvmException("KVM_IRQ_LINE", -result, $"GSI {gsi}");
    }

    /// <summary>From now on a signal on the eventfd raises the GSI.</summary>
    /// <param name="eventFd">An eventfd; KVM keeps it open.</param>
    /// <param name="gsi">An input with a route.</param>
    /// <param name="resampleFd">
    /// With an eventfd here the line is level-triggered: it stays up until the guest's EOI, which signals this one.
    /// </param>
    /// <exception cref="KvmException">In use already, or no route.</exception>
    public void AssignIrqFd(int eventFd, uint gsi, int resampleFd = -1)
    {
        kvm_irqfd irqfd = default;
        if (resampleFd >= 0)
        {
            irqfd.flags = KvmConstants.KVM_IRQFD_FLAG_RESAMPLE;
            irqfd.resamplefd = (uint)resampleFd;
        }

        IrqFd(irqfd, eventFd, gsi);
    }

    /// <summary>Takes back <see cref="AssignIrqFd"/>. Done when it returns: no late interrupt.</summary>
    /// <exception cref="KvmException">The call failed.</exception>
    public void DeassignIrqFd(int eventFd, uint gsi)
    {
        kvm_irqfd irqfd = default;
        irqfd.flags = KvmConstants.KVM_IRQFD_FLAG_DEASSIGN;
        IrqFd(irqfd, eventFd, gsi);
    }

    /// <summary>From now on a guest's write there signals the eventfd instead of leaving KVM_RUN.</summary>
    /// <param name="address">Guest-physical address, or I/O port.</param>
    /// <param name="length">1, 2, 4 or 8 bytes; 0 for any length, without <paramref name="dataMatch"/>.</param>
    /// <param name="eventFd">An eventfd; KVM keeps it open.</param>
    /// <param name="pio">An I/O port, not memory.</param>
    /// <param name="dataMatch">Only writes of this value; others leave KVM_RUN as before.</param>
    /// <exception cref="KvmException">There is one already, or no room.</exception>
    public void AssignIoEventFd(ulong address, uint length, int eventFd, bool pio, ulong? dataMatch = null) =>
        IoEventFd(address, length, eventFd, pio, dataMatch, 0);

    /// <summary>Takes back <see cref="AssignIoEventFd"/>, with the same arguments.</summary>
    /// <exception cref="KvmException">There is no such assignment.</exception>
    public void DeassignIoEventFd(ulong address, uint length, int eventFd, bool pio, ulong? dataMatch = null) =>
        IoEventFd(address, length, eventFd, pio, dataMatch, KvmConstants.KVM_IOEVENTFD_FLAG_DEASSIGN);

    /// <summary>Replaces the whole table of where GSIs go.</summary>
    /// <exception cref="KvmException">An invalid route.</exception>
    public void SetGsiRouting(ReadOnlySpan<kvm_irq_routing_entry> routes)
    {
        nuint size = (nuint)sizeof(kvm_irq_routing) + (nuint)routes.Length * (nuint)sizeof(kvm_irq_routing_entry);
        var table = (kvm_irq_routing*)NativeMemory.AllocZeroed(size);
        try
        {
            table->nr = (uint)routes.Length;
            routes.CopyTo(new Span<kvm_irq_routing_entry>(table + 1, routes.Length));
            int result = KvmCall.Try(Fd, KvmIoctl.KVM_SET_GSI_ROUTING, table);
            if (result < 0)
                throw new KvmException("KVM_SET_GSI_ROUTING", -result, $"routes: {routes.Length}");
        }
        finally
        {
            NativeMemory.Free(table);
        }
    }

    /// <summary>Sends a message-signalled interrupt now. Allocates nothing.</summary>
    /// <returns>Whether a vCPU took it; false if the guest has it blocked.</returns>
    /// <exception cref="KvmException">No irqchip.</exception>
    public bool SignalMsi(in kvm_msi msi)
    {
        fixed (kvm_msi* p = &msi)
            return KvmCall.Must("KVM_SIGNAL_MSI", Fd, KvmIoctl.KVM_SIGNAL_MSI, p) > 0;
    }

    /// <summary>Lets KVM queue writes there in the vCPUs' rings instead of leaving KVM_RUN for each.</summary>
    /// <param name="address">Guest-physical address, or first I/O port.</param>
    /// <param name="size">In bytes, or ports.</param>
    /// <param name="pio">I/O ports, not memory (KVM_CAP_COALESCED_PIO).</param>
    /// <exception cref="KvmException">No room.</exception>
    public void RegisterCoalesced(ulong address, uint size, bool pio) =>
        Coalesced("KVM_REGISTER_COALESCED_MMIO", KvmIoctl.KVM_REGISTER_COALESCED_MMIO, address, size, pio);

    /// <summary>Takes back <see cref="RegisterCoalesced"/>, with the same arguments.</summary>
    /// <exception cref="KvmException">The call failed.</exception>
    public void UnregisterCoalesced(ulong address, uint size, bool pio) =>
        Coalesced("KVM_UNREGISTER_COALESCED_MMIO", KvmIoctl.KVM_UNREGISTER_COALESCED_MMIO, address, size, pio);

    /// <summary>Turns a capability of the whole VM on; its arguments are in api.rst, section 7.</summary>
    /// <exception cref="KvmException">Not there, or too late.</exception>
    public void EnableCapability(
        KvmCapability capability, ulong arg0 = 0, ulong arg1 = 0, ulong arg2 = 0, ulong arg3 = 0)
    {
        kvm_enable_cap enable = default;
        enable.cap = (uint)capability;
        enable.args[0] = arg0;
        enable.args[1] = arg1;
        enable.args[2] = arg2;
        enable.args[3] = arg3;
        int result = KvmCall.Try(Fd, KvmIoctl.KVM_ENABLE_CAP, &enable);
        if (result < 0)
            throw new KvmException("KVM_ENABLE_CAP", -result, $"{capability}");
    }

    /// <summary>The guest's kvmclock, and with KVM_CLOCK_HOST_TSC and _REALTIME the moment it was read.</summary>
    /// <exception cref="KvmException">The call failed.</exception>
    public kvm_clock_data GetClock()
    {
        kvm_clock_data clock = default;
        KvmCall.Must("KVM_GET_CLOCK", Fd, KvmIoctl.KVM_GET_CLOCK, &clock);
        return clock;
    }

    /// <summary>Sets the guest's kvmclock, which goes on from there.</summary>
    /// <param name="clock">From <see cref="GetClock"/>; of its flags only KVM_CLOCK_REALTIME counts.</param>
    /// <exception cref="KvmException">The call failed.</exception>
    public void SetClock(in kvm_clock_data clock)
    {
        fixed (kvm_clock_data* p = &clock)
            KvmCall.Must("KVM_SET_CLOCK", Fd, KvmIoctl.KVM_SET_CLOCK, p);
    }

    /// <summary>State of one in-kernel interrupt controller, for a look at it.</summary>
    /// <param name="chip">KVM_IRQCHIP_*.</param>
    /// <exception cref="KvmException">No irqchip.</exception>
    public kvm_irqchip GetIrqChip(uint chip)
    {
        kvm_irqchip state = default;
        state.chip_id = chip;
        KvmCall.Must("KVM_GET_IRQCHIP", Fd, KvmIoctl.KVM_GET_IRQCHIP, &state);
        return state;
    }

    /// <summary>Sets one in-kernel interrupt controller, from a state that <see cref="GetIrqChip"/> gave.</summary>
    /// <exception cref="KvmException">No irqchip.</exception>
    public void SetIrqChip(in kvm_irqchip state)
    {
        fixed (kvm_irqchip* p = &state)
            KvmCall.Must("KVM_SET_IRQCHIP", Fd, KvmIoctl.KVM_SET_IRQCHIP, p);
    }

    /// <summary>State of the in-kernel 8254.</summary>
    /// <exception cref="KvmException">No PIT.</exception>
    public kvm_pit_state2 GetPit2()
    {
        kvm_pit_state2 state = default;
        KvmCall.Must("KVM_GET_PIT2", Fd, KvmIoctl.KVM_GET_PIT2, &state);
        return state;
    }

    /// <summary>Sets the in-kernel 8254; its channels start to count anew.</summary>
    /// <exception cref="KvmException">No PIT.</exception>
    public void SetPit2(in kvm_pit_state2 state)
    {
        fixed (kvm_pit_state2* p = &state)
            KvmCall.Must("KVM_SET_PIT2", Fd, KvmIoctl.KVM_SET_PIT2, p);
    }

    /// <summary>Which pages were written since the last call, for a slot with KVM_MEM_LOG_DIRTY_PAGES.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="bitmap">One bit a page of the slot; every 64 pages or part of them need a word.</param>
    /// <exception cref="KvmException">No such slot, or it keeps no log.</exception>
    public void GetDirtyLog(uint slot, Span<ulong> bitmap)
    {
        kvm_dirty_log log = default;
        log.slot = slot;
        fixed (ulong* p = bitmap)
        {
            log.dirty_bitmap = p;
            int result = KvmCall.Try(Fd, KvmIoctl.KVM_GET_DIRTY_LOG, &log);
            if (result < 0)
                throw new KvmException("KVM_GET_DIRTY_LOG", -result, $"slot {slot}");
        }
    }

    /// <summary>Opens what the kernel counts of this VM; the caller disposes of it.</summary>
    /// <exception cref="KvmException">Linux before 5.14, or no more files.</exception>
    public KvmStats OpenStats() =>
        new(KvmCall.Must("KVM_GET_STATS_FD", Fd, KvmIoctl.KVM_GET_STATS_FD, 0));

    /// <summary>Closes the fd. The VM itself lives on until its vCPUs' fds are closed too.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _fd, -1) >= 0)
            _handle.Drop();
    }

    private void IrqFd(kvm_irqfd irqfd, int eventFd, uint gsi)
    {
        irqfd.fd = (uint)eventFd;
        irqfd.gsi = gsi;
        int result = KvmCall.Try(Fd, KvmIoctl.KVM_IRQFD, &irqfd);
        if (result < 0)
            throw new KvmException("KVM_IRQFD", -result, $"GSI {gsi}");
    }

    private void IoEventFd(ulong address, uint length, int eventFd, bool pio, ulong? dataMatch, uint flags)
    {
        kvm_ioeventfd request = default;
        request.addr = address;
        request.len = length;
        request.fd = eventFd;
        request.flags = flags;
        if (pio)
            request.flags |= KvmConstants.KVM_IOEVENTFD_FLAG_PIO;
        if (dataMatch is ulong value)
        {
            request.flags |= KvmConstants.KVM_IOEVENTFD_FLAG_DATAMATCH;
            request.datamatch = value;
        }

        int result = KvmCall.Try(Fd, KvmIoctl.KVM_IOEVENTFD, &request);
        if (result < 0)
            throw new KvmException("KVM_IOEVENTFD", -result, $"{Space(pio)} 0x{address:x}, length {length}");
    }

    private void Coalesced(string operation, uint number, ulong address, uint size, bool pio)
    {
        kvm_coalesced_mmio_zone zone = default;
        zone.addr = address;
        zone.size = size;
        zone.pio = pio ? 1u : 0u;
        int result = KvmCall.Try(Fd, number, &zone);
        if (result < 0)
            throw new KvmException(operation, -result, $"{Space(pio)} 0x{address:x}, size {size}");
    }

    private static string Space(bool pio) => pio ? "port" : "address";
}
