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
    /// The place of the nth function behind the host bridge, 0 for the first: each a device of its own as long as there
    /// are any, then further functions of those.
    /// </summary>
    /// <exception cref="BadInputException">More than a bus has.</exception>
    public static PciSlot Of(int index)
    {
        const int Free = Devices - 1;
        return index < Free * Functions
            ? new((index % Free) + 1, index / Free)
            : throw new BadInputException($"{index + 1} PCI functions: a bus has room for {Free * Functions}");
    }

    /// <summary>As lspci writes it: "00:1f.0".</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"00:{Device:x2}.{Function}");
}
