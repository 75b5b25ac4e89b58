using MiniVmm.Memory;

namespace MiniVmm.Pci;

/// <summary>
/// Gives each BAR its address before the guest runs, and switches decoding on, as firmware does: a kernel without an
/// allocator of its own finds its devices set.
/// </summary>
internal static class PciAssignment
{
    /// <summary>Largest BAR that goes below 4 GiB if it could be above: there is room there for many small ones.</summary>
    private const ulong LargestLow = 16 * MemoryLayout.MiB;

    /// <summary>Assigns all of them, large ones first so that none is lost to alignment.</summary>
    /// <exception cref="BadInputException">They do not fit.</exception>
    public static void Assign(PciWindows windows, IReadOnlyList<PciEndpoint> endpoints)
    {
        Room ports = new(windows.Ports);
        ulong? taken = endpoints.SelectMany(endpoint => endpoint.Bars).Min(bar => bar.FixedAddress);
        Room memory = new(taken is { } end && windows.Memory.Contains(end, 1)
            ? new(windows.Memory.Start, end - windows.Memory.Start)
            : windows.Memory);
        Room high = new(windows.HighMemory);
        var bars = from endpoint in endpoints
                   from bar in endpoint.Bars
                   orderby bar.Size descending
                   select (endpoint, bar);
        foreach ((PciEndpoint endpoint, PciBar bar) in bars)
        {
            ulong? address = bar.FixedAddress is not null ? bar.FixedAddress
                : bar.IsPort ? ports.Take(bar.Size)
                : bar.Is64Bit && bar.Size > LargestLow ? high.Take(bar.Size) ?? memory.Take(bar.Size)
                : memory.Take(bar.Size) ?? (bar.Is64Bit ? high.Take(bar.Size) : null);
            if (address is null)
            {
                throw new BadInputException(
                    $"{endpoint.Name}: no room on the PCI bus for {(bar.IsPort ? $"{bar.Size} ports" : ByteSize.Format(bar.Size))}; "
                    + "leave out a device");
            }

            endpoint.Assign(bar, address.Value);
        }

        foreach (PciEndpoint endpoint in endpoints)
            endpoint.Enable();
    }

    /// <summary>What is free of a window, from its start up.</summary>
    private sealed class Room(GuestRange window)
    {
        private ulong _next = window.Start;

        public ulong? Take(ulong size)
        {
            ulong address = (_next + (size - 1)) & ~(size - 1);
            if (address < _next || !window.Contains(address, size))
                return null;
            _next = address + size;
            return address;
        }
    }
}
