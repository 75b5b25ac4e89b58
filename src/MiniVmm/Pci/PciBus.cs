using MiniVmm.Devices;

namespace MiniVmm.Pci;

/// <summary>
/// Bus 0 with its functions, and how accesses to configuration space reach them. One access at a time: what a guest
/// writes there sets things up and may take system calls, which no vCPU does all day.
/// </summary>
/// <param name="decoding">Who decodes which of its addresses.</param>
internal sealed class PciBus(PciDecoding decoding) : IPciConfiguration
{
    private const int HeaderType = 0x0e;
    private const byte MultiFunction = 0x80;
    private readonly IPciFunction?[] _functions = new IPciFunction?[PciSlot.Devices * PciSlot.Functions];
    private readonly Lock _lock = new();

    /// <summary>Who decodes which of its addresses.</summary>
    public PciDecoding Decoding => decoding;

    /// <summary>The functions with their places, ascending.</summary>
    public IEnumerable<(PciSlot Slot, IPciFunction Function)> Functions =>
        from number in Enumerable.Range(0, _functions.Length)
        where _functions[number] is not null
        select (new PciSlot(number / PciSlot.Functions, number % PciSlot.Functions), _functions[number]!);

    /// <summary>Puts a function on the bus, before the guest runs.</summary>
    /// <exception cref="ArgumentException">There is one already.</exception>
    public void Add(PciSlot slot, IPciFunction function)
    {
        if (_functions[slot.Number] is { } other)
            throw new ArgumentException($"{function.Name}: {slot} is {other.Name}'s", nameof(slot));
        _functions[slot.Number] = function;
    }

    public void Read(uint function, int register, Span<byte> data)
    {
        if (Find(function) is not { } found)
        {
            data.Fill(0xff);
            return;
        }

        lock (_lock)
            found.ReadConfiguration(register, data);

        // Only function 0 says whether there are others (PCI Local Bus 3.0, 6.2.1).
        int header = HeaderType - register;
        if (header >= 0 && header < data.Length && HasSiblings(function))
            data[header] |= MultiFunction;
    }

    public void Write(uint function, int register, ReadOnlySpan<byte> data)
    {
        if (Find(function) is not { } found)
            return;
        lock (_lock)
        {
            found.WriteConfiguration(register, data);
            if (!decoding.TakeReleased())
                return;
            foreach (IPciFunction? other in _functions)
                other?.Decode();
        }
    }

    private IPciFunction? Find(uint function) => function < _functions.Length ? _functions[function] : null;

    private bool HasSiblings(uint function)
    {
        uint first = function & ~(uint)(PciSlot.Functions - 1);
        return _functions.AsSpan((int)first + 1, PciSlot.Functions - 1).ContainsAnyExcept((IPciFunction?)null);
    }
}
