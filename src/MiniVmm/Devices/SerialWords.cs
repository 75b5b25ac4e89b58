namespace MiniVmm.Devices;

/// <summary>What accesses to a 16550A mean (National Semiconductor PC16550D, 8): registers 0 and 1 are two each, by a bit of LCR.</summary>
/// <param name="divisorLatch">Whether that bit is set at first.</param>
internal sealed class SerialWords(bool divisorLatch) : IAccessWords
{
    private const ulong LineControl = 3;
    private const ulong DivisorLatch = 0x80;
    private const int Clock = 115_200; // baud at a divisor of 1

    private bool _divisorLatch = divisorLatch;
    private uint _divisor;

    public string? Describe(in DeviceAccess access)
    {
        if (access.Size != 1)
            return null; // taken apart, lowest register first
        uint value = (uint)access.Value & 0xff;
        if (access is { Offset: LineControl, IsWrite: true })
        {
            _divisorLatch = (value & DivisorLatch) != 0;
            return _divisorLatch ? "open the divisor latch" : $"line of {5 + (value & 3)} bits{((value & 8) != 0 ? ", parity" : "")}";
        }

        if (_divisorLatch && access.Offset < 2)
            return Divisor(access, value);
        return access.IsWrite ? Written(access.Offset, value) : ReadOut(access.Offset, value);
    }

    private string Divisor(in DeviceAccess access, uint value)
    {
        if (!access.IsWrite)
            return "divisor?";
        _divisor = access.Offset == 0 ? _divisor & 0xff00 | value : _divisor & 0x00ff | value << 8;
        return _divisor == 0 ? "divisor 0" : $"divisor {_divisor}: {Clock / _divisor} baud";
    }

    private static string? Written(ulong offset, uint value) => offset switch
    {
        0 => $"transmit {Letter(value)}",
        1 => value == 0 ? "no interrupts" : $"interrupts for {Join((value & 1) != 0, "received", (value & 2) != 0, "transmitter empty", (value & 12) != 0, "status")}",
        2 => (value & 1) != 0 ? "FIFO on" : "FIFO off",
        4 => $"modem lines {Join((value & 1) != 0, "DTR", (value & 2) != 0, "RTS", (value & 16) != 0, "loopback")}",
        7 => "scratch",
        _ => null,
    };

    private static string? ReadOut(ulong offset, uint value) => offset switch
    {
        0 => $"receive {Letter(value)}",
        1 => "interrupts enabled?",
        2 => (value & 0xf) switch
        {
            1 => "cause: none",
            2 => "cause: transmitter empty",
            4 or 12 => "cause: received",
            6 => "cause: line status",
            _ => "cause: modem status",
        },
        3 => "line?",
        4 => "modem lines?",
        5 => $"status: {Join((value & 0x20) != 0, "may transmit", (value & 1) != 0, "received", (value & 0x1e) != 0, "error")}",
        6 => "modem status",
        _ => "scratch?",
    };

    private static string Letter(uint value) => value switch
    {
        '\n' => "'\\n'",
        '\r' => "'\\r'",
        '\t' => "'\\t'",
        >= ' ' and <= '~' => $"'{(char)value}'",
        _ => $"0x{value:x2}",
    };

    private static string Join(bool a, string first, bool b, string second, bool c, string third)
    {
        string text = a ? first : "";
        if (b)
            text += text.Length > 0 ? $", {second}" : second;
        if (c)
            text += text.Length > 0 ? $", {third}" : third;
        return text.Length > 0 ? text : "none";
    }
}
