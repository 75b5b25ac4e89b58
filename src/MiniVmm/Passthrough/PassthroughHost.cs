using MiniVmm.Host;

namespace MiniVmm.Passthrough;

/// <summary>
/// The host's functions that a machine has been handed, in one container. Whatever stands in the way is one line that names
/// the option and ends in what to do.
/// </summary>
internal sealed class PassthroughHost : IDisposable
{
    private readonly List<(PassthroughOptions Options, VfioDevice Device)> _devices = [];
    private VfioContainer? _container;

    /// <summary>Takes the functions over and resets them.</summary>
    /// <param name="wanted">Which, in the order of the guest's; at least one.</param>
    /// <param name="bus">The host's.</param>
    /// <param name="calls">Its kernel.</param>
    /// <param name="mayOpen">Whether this user may read and write a file.</param>
    /// <exception cref="BadInputException">The host has no such function.</exception>
    /// <exception cref="HostLimitException">It cannot be had.</exception>
    public PassthroughHost(
        IReadOnlyList<PassthroughOptions> wanted, HostPciBus bus, IVfioCalls calls, Func<string, bool> mayOpen)
    {
        try
        {
            foreach (PassthroughOptions options in wanted)
                _devices.Add((options, Open(options, bus, calls, mayOpen)));
            foreach ((PassthroughOptions options, VfioDevice device) in _devices)
                Reset(options, device);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The functions, in the order in which they were asked for.</summary>
    public IReadOnlyList<(PassthroughOptions Options, VfioDevice Device)> Devices => _devices;

    /// <summary>What their DMA reaches.</summary>
    public VfioContainer Container => _container ?? throw new InvalidOperationException("nothing was handed over");

    /// <summary>Resets the devices, so that none goes on with what the guest told it to do, and gives them back.</summary>
    public void Dispose()
    {
        foreach ((PassthroughOptions options, VfioDevice device) in _devices)
        {
            try
            {
                if (options.Reset)
                    Reset(options, device);
            }
            catch (HostLimitException)
            {
                // The kernel tries the same when the device is closed.
            }
        }

        foreach ((_, VfioDevice device) in _devices)
            device.Dispose();
        _devices.Clear();
        _container?.Dispose();
        _container = null;
    }

    private VfioDevice Open(
        PassthroughOptions options, HostPciBus bus, IVfioCalls calls, Func<string, bool> mayOpen)
    {
        HostPciFunction function = bus.Find(options.Host)
            ?? throw new BadInputException($"{options.Subject}: the host has no such PCI device; minivmm devices lists them");
        if (PassthroughObstacle.Find(bus, function, mayOpen) is { } obstacle)
            throw new HostLimitException($"{options.Subject}: {obstacle}");
        int group = function.Group!.Value;
        try
        {
            _container ??= new VfioContainer(calls);
            return _container.Add(group).Open(options.Host);
        }
        catch (VfioException e)
        {
            throw new HostLimitException($"{options.Subject}: {Explain(e, bus, group)}", e);
        }
    }

    private static string Explain(VfioException e, HostPciBus bus, int group) => e.Errno switch
    {
        // The kernel's own view: a driver that is bound, whatever it is called, makes a group unusable.
        Errno.ENODEV when e.Operation.StartsWith("IOMMU group", StringComparison.Ordinal) =>
            $"IOMMU group {group} is not viable: the host uses one of its devices: {string.Join(", ", bus.Group(group))}; "
            + "bind each to vfio-pci (minivmm devices)",
        Errno.EBUSY when e.Operation.StartsWith("open ", StringComparison.Ordinal) =>
            $"another program has IOMMU group {group}: {Holders(bus, group)}",
        Errno.EACCES or Errno.EPERM when e.Operation == $"open {PassthroughObstacle.GroupPath(group)}" =>
            PassthroughObstacle.NotPermitted(PassthroughObstacle.GroupPath(group)).ToString(),
        _ => e.Message,
    };

    /// <summary>Processes that have a group's file open, as far as this user may know.</summary>
    private static string Holders(HostPciBus bus, int group)
    {
        string path = PassthroughObstacle.GroupPath(group);
        List<string> holders = [];
        foreach (string process in bus.Files.List("/proc") ?? [])
        {
            string folder = $"/proc/{process}/fd";
            if (char.IsAsciiDigit(process[0])
                && (bus.Files.List(folder) ?? []).Any(fd => bus.Files.ReadLink($"{folder}/{fd}") == path))
                holders.Add($"{bus.Files.ReadLine($"/proc/{process}/comm")} (process {process})");
        }

        return holders.Count > 0 ? $"end {string.Join(", ", holders)}" : $"fuser {path} tells which";
    }

    private void Reset(PassthroughOptions options, VfioDevice device)
    {
        if (!options.Reset)
            return;
        try
        {
            if (device.CanReset)
            {
                device.Reset();
                return;
            }

            string obstacle = "it has no reset of its own, nor has its bus";
            if (device.BusNeighbours() is { Count: > 0 } neighbours)
            {
                string[] foreign =
                [
                    .. neighbours.Where(neighbour => Container.Groups.All(group => group.Number != neighbour.Group))
                        .Select(neighbour => $"{neighbour.Address}"),
                ];
                if (foreign.Length == 0)
                {
                    device.ResetBus(Container.Groups);
                    return;
                }

                obstacle = $"only its whole bus can be reset, and {string.Join(", ", foreign)} on it "
                    + $"{(foreign.Length == 1 ? "is" : "are")} not passed on with it";
            }

            throw new HostLimitException($"{options.Subject}: {obstacle}: what one guest leaves in it, the next user finds; "
                + $"add ,reset=off if you trust the guest with that");
        }
        catch (VfioException e)
        {
            throw new HostLimitException($"{options.Subject}: the device cannot be reset: {e.Message}", e);
        }
    }
}
