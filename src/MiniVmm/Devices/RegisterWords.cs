namespace MiniVmm.Devices;

/// <summary>Words of a device whose registers have names and do nothing that a name does not say.</summary>
/// <param name="names">The registers by their offsets.</param>
internal sealed class RegisterWords(params (ulong Offset, string Name)[] names) : IAccessWords
{
    public string? Describe(in DeviceAccess access)
    {
        foreach ((ulong offset, string name) in names)
        {
            if (offset == access.Offset)
                return access.IsWrite ? $"set {name}" : $"read {name}";
        }

        return null;
    }
}

/// <summary>Words of a device with an index register and a data register behind it, whose inner registers have names.</summary>
/// <param name="names">The inner registers by their indices.</param>
/// <param name="mask">Bits of the index register that count.</param>
internal sealed class IndexedWords((ulong Index, string Name)[] names, ulong mask) : IAccessWords
{
    private ulong? _index;

    public string? Describe(in DeviceAccess access)
    {
        if (access.Size != 1)
        {
            _index = null;
            return null;
        }

        if (access.Offset == 0)
        {
            if (!access.IsWrite)
                return "read the index";
            _index = access.Value & mask;
            return $"select {Name()}";
        }

        return access.Offset == 1 && _index is not null ? $"{(access.IsWrite ? "set" : "read")} {Name()}" : null;
    }

    private string Name()
    {
        foreach ((ulong index, string name) in names)
        {
            if (index == _index)
                return name;
        }

        return $"register 0x{_index:x}";
    }
}

/// <summary>Words of PCI's configuration mechanism #1 (PCI Local Bus 3.0, 3.2.2.3.2): the data window is what the address chose.</summary>
internal sealed class PciConfigurationWords : IAccessWords
{
    private uint? _address;

    public string? Describe(in DeviceAccess access)
    {
        if (access is { Offset: 0, Size: 4 })
        {
            if (!access.IsWrite)
                return "read the address";
            _address = (uint)access.Value;
            return $"select {Function(_address.Value)} register 0x{_address & 0xfc:x}";
        }

        return access.Offset >= 4 && _address is { } address
            ? $"{(access.IsWrite ? "set" : "read")} {Function(address)} register 0x{(address & 0xfc) + (access.Offset & 3):x}"
            : null;
    }

    private static string Function(uint address) => $"{address >> 16 & 0xff:x2}:{address >> 11 & 0x1f:x2}.{address >> 8 & 7}";
}

/// <summary>Words of ACPI's fixed hardware (ACPI 6.5, 4.8.3).</summary>
internal sealed class AcpiPmWords : IAccessWords
{
    private const ulong SleepEnable = 1 << 13;

    public string? Describe(in DeviceAccess access) => access.Offset switch
    {
        0 => access.IsWrite ? "acknowledge events" : "read events",
        2 => access.IsWrite ? "enable events" : "read enabled events",
        4 when access.IsWrite && (access.Value & SleepEnable) != 0 => $"sleep, type {access.Value >> 10 & 7}",
        4 => access.IsWrite ? "set control" : "read control",
        8 when !access.IsWrite => "read the timer",
        _ => null,
    };
}

/// <summary>Words of the keyboard controller (IBM PS/2 Hardware Interface Technical Reference).</summary>
internal sealed class I8042Words : IAccessWords
{
    private const ulong Command = 4;

    public string? Describe(in DeviceAccess access) => (access.Offset, access.IsWrite, access.Value & 0xff) switch
    {
        (Command, true, 0xfe) => "reset the machine",
        (Command, true, 0x20) => "command: read the command byte",
        (Command, true, 0x60) => "command: write the command byte",
        (Command, true, 0xaa) => "command: self-test",
        (Command, true, 0xd4) => "command: next byte is the mouse's",
        (Command, true, var command) => $"command 0x{command:x2}",
        (Command, false, var status) => $"status: {((status & 1) != 0 ? "a byte to read" : "nothing to read")}",
        (0, true, _) => "send a byte",
        (0, false, _) => "take a byte",
        _ => null,
    };
}

/// <summary>Words of a port that prints what is written to it, or ends the machine by it.</summary>
/// <param name="verb">What it does.</param>
/// <param name="isText">Whether its bytes are letters.</param>
internal sealed class PortWords(string verb, bool isText) : IAccessWords
{
    public string? Describe(in DeviceAccess access) => !access.IsWrite ? null
        : isText && access.Value is >= ' ' and <= '~' ? $"{verb} '{(char)access.Value}'"
        : isText && access.Value == '\n' ? $"{verb} '\\n'"
        : $"{verb} 0x{access.Value:x}";
}
