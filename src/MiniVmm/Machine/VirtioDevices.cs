using MiniVmm.Control;
using MiniVmm.Devices;
using MiniVmm.Memory;
using MiniVmm.Network;
using MiniVmm.Sharing;
using MiniVmm.Storage;
using MiniVmm.Terminal;
using MiniVmm.Virtio;
using MiniVmm.Virtio.Balloon;
using MiniVmm.Virtio.Block;
using MiniVmm.Virtio.Console;
using MiniVmm.Virtio.Mem;
using MiniVmm.Virtio.Net;
using MiniVmm.Virtio.Rng;
using MiniVmm.Virtio.Share;

namespace MiniVmm.Machine;

/// <summary>The virtio devices that a machine's options ask for, each opened on the host and put into its slot.</summary>
internal sealed class VirtioDevices : IDisposable
{
    private readonly VirtioWiring _wiring;
    private readonly Queue<VirtioSlot> _slots;
    private readonly List<(VirtioSlot Slot, IDeviceCounters Device)> _counting = [];

    /// <exception cref="VmmException">The host has not what an option names.</exception>
    /// <exception cref="Kvm.KvmException">No more files.</exception>
    public VirtioDevices(
        MachinePlan plan,
        VirtioWiring wiring,
        GuestMemory memory,
        IPageRelease backing,
        MemoryBlocks? blocks,
        IConsoleSink console,
        Action<OptionMessage> warn)
    {
        _wiring = wiring;
        _slots = new(plan.Virtio);
        MachineOptions options = plan.Options;
        try
        {
            // In the order of MachineOptions.VirtioDevices.
            foreach (DiskOptions disk in options.VirtioDisks)
                Add(new VirtioBlock(DiskImage.Open(disk, warn), disk, options.Topology.Count, warn));
            for (int i = 0; i < options.Nets.Count; i++)
                Add(OpenCard(options.Nets[i], options.LastingName, i));
            if (options.Console == ConsoleKind.Virtio)
                Add(Console = new VirtioConsole(console));
            if (options.Balloon is { } balloon)
                Add(Balloon = new VirtioBalloon(balloon, memory, backing, warn));
            if (options.Rng)
                Add(new VirtioRng());
            for (int i = 0; i < options.Shares.Count; i++)
                Add(new VirtioShare(SharedFolder.Open(options.Shares[i]), options.Shares[i].Tag ?? $"share{i}"));
            if (blocks is not null)
                Add(Mem = new VirtioMem(blocks));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public VirtioBalloon? Balloon { get; }

    public VirtioConsole? Console { get; }

    public VirtioMem? Mem { get; }

    /// <summary>Starts the devices' threads.</summary>
    public void Start() => _wiring.Start();

    /// <inheritdoc cref="VirtioWiring.Park"/>
    public void Park() => _wiring.Park();

    public void Resume() => _wiring.Resume();

    /// <inheritdoc cref="VirtioWiring.Suspendable"/>
    public IEnumerable<ISuspendable> Suspendable => _wiring.Suspendable;

    /// <summary>What the devices counted so far.</summary>
    public IReadOnlyList<DeviceCounters> ReadCounters() =>
        [.. _counting.Select(row => new DeviceCounters(row.Slot.Name, row.Device.Kind, row.Device.ReadCounters()))];

    public void Dispose() => _wiring.Dispose();

    private static VirtioNet OpenCard(NetOptions options, string? machine, int index)
    {
        NetEndpoint endpoint = HostNetwork.Open(options);
        return new VirtioNet(
            endpoint, HostNetwork.ChooseMac(options, endpoint, machine, index), options.Bandwidth);
    }

    private void Add(IVirtioDevice device)
    {
        VirtioSlot slot = _slots.Dequeue();
        _wiring.Add(slot, device);
        if (device is IDeviceCounters counting)
            _counting.Add((slot, counting));
    }
}
