namespace MiniVmm.Inspection;

/// <summary>A gate of an IDT (SDM vol. 3, 6.11 and 6.14.1), or an entry of the real-mode table (20.1.4).</summary>
/// <param name="Offset">Where the handler is.</param>
/// <param name="Selector">Of its code segment.</param>
/// <param name="Type">5 task, 6 and 7 16-bit, 14 interrupt, 15 trap; -1 in real mode, which has none.</param>
/// <param name="Dpl">Least privileged level whose INT n may use it.</param>
/// <param name="IsPresent">P.</param>
/// <param name="Ist">1 to 7: the stack of the TSS that is switched to in IA-32e mode; 0 for none.</param>
internal readonly record struct InterruptGate(ulong Offset, ushort Selector, int Type, int Dpl, bool IsPresent, int Ist)
{
    private const int RealModeType = -1;

    /// <summary>Bytes of a gate.</summary>
    public static int SizeOf(GuestView view) => !view.IsProtected ? 4 : view.IsLongMode ? 16 : 8;

    /// <summary>Of its bytes, as many as <see cref="SizeOf"/> says.</summary>
    public static InterruptGate Parse(ReadOnlySpan<byte> bytes)
    {
        ulong low = BitConverter.ToUInt32(bytes);
        if (bytes.Length == 4)
            return new(low & 0xffff, (ushort)(low >> 16), RealModeType, 3, true, 0);
        ulong next = BitConverter.ToUInt32(bytes[4..]);
        ulong offset = low & 0xffff | next & 0xffff_0000;
        if (bytes.Length == 16)
            offset |= (ulong)BitConverter.ToUInt32(bytes[8..]) << 32;
        return new(
            offset, (ushort)(low >> 16), (int)(next >> 8 & 0x1f), (int)(next >> 13 & 3), (next >> 15 & 1) != 0,
            bytes.Length == 16 ? (int)(next & 7) : 0);
    }

    /// <summary>Whether its type is one that IA-32e mode, or protected mode, takes.</summary>
    public bool HasGoodType(bool longMode) => Type is 14 or 15 or RealModeType || !longMode && Type is 5 or 6 or 7;

    /// <summary>As in "interrupt gate to 0008:0x101234, DPL 0".</summary>
    public string Describe()
    {
        if (this == default)
            return "empty";
        string kind = Type switch
        {
            RealModeType => "",
            5 => "task gate to ",
            6 => "16-bit interrupt gate to ",
            7 => "16-bit trap gate to ",
            14 => "interrupt gate to ",
            15 => "trap gate to ",
            _ => $"type {Type}, which is no gate, to ",
        };
        string ist = Ist != 0 ? $", IST {Ist}" : "";
        string dpl = Type == RealModeType ? "" : $", DPL {Dpl}";
        return $"{kind}{Selector:x4}:0x{Offset:x}{dpl}{ist}{(IsPresent ? "" : ", not present")}";
    }
}
