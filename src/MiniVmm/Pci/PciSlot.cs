using System.Globalization;

namespace MiniVmm.Pci;

/// <summary>Where a function is on bus 0.</summary>
/// <param name="Device">0 to 31.</param>
/// <param name="Function">0 to 7.</param>
internal readonly record struct PciSlot(int Device, int Function)
{
    public const int Devices = 32;
    public const int Functions = 8;

    /// <summary>Bits 7:3 and 2:0, as in a function's address on the bus.</summary>
    public byte Number => (byte)((Device * Functions) + Function);

    /// <summary>
    /// The place of the nth function behind the chipset's, 0 for the first: each a device of its own as long as there
    /// are any, then further functions of those.
    /// </summary>
    /// <param name="index">n.</param>
    /// <param name="first">The first device that is free.</param>
    /// <exception cref="BadInputException">More than a bus has.</exception>
    public static PciSlot Of(int index, int first = 1)
    {
        int free = Devices - first;
        return index < free * Functions
            ? new((index % free) + first, index / free)
            : throw new BadInputException($"{index + 1} PCI functions: a bus has room for {free * Functions}");
    }

    /// <summary>As lspci writes it: "00:1f.0".</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"00:{Device:x2}.{Function}");
}
