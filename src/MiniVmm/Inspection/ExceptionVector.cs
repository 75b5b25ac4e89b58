namespace MiniVmm.Inspection;

/// <summary>The exceptions of x86 (SDM vol. 3, 6.15).</summary>
internal static class ExceptionVector
{
    public const byte DivideError = 0;
    public const byte Debug = 1;
    public const byte Breakpoint = 3;
    public const byte Overflow = 4;
    public const byte BoundRange = 5;
    public const byte InvalidOpcode = 6;
    public const byte DeviceNotAvailable = 7;
    public const byte DoubleFault = 8;
    public const byte InvalidTss = 10;
    public const byte SegmentNotPresent = 11;
    public const byte StackFault = 12;
    public const byte GeneralProtection = 13;
    public const byte PageFault = 14;
    public const byte X87 = 16;
    public const byte AlignmentCheck = 17;
    public const byte Simd = 19;
    public const byte ControlProtection = 21;

    /// <summary>Vectors below are exceptions; interrupts come from here on.</summary>
    public const int Count = 32;

    /// <summary>As in "#PF page fault"; "interrupt 0x30" from 32 on.</summary>
    public static string Name(byte vector) => vector switch
    {
        DivideError => "#DE divide error",
        Debug => "#DB debug",
        2 => "NMI",
        Breakpoint => "#BP breakpoint",
        Overflow => "#OF overflow",
        BoundRange => "#BR bound range",
        InvalidOpcode => "#UD invalid opcode",
        DeviceNotAvailable => "#NM device not available",
        DoubleFault => "#DF double fault",
        InvalidTss => "#TS invalid TSS",
        SegmentNotPresent => "#NP segment not present",
        StackFault => "#SS stack fault",
        GeneralProtection => "#GP general protection",
        PageFault => "#PF page fault",
        X87 => "#MF x87 floating point",
        AlignmentCheck => "#AC alignment check",
        18 => "#MC machine check",
        Simd => "#XM SIMD floating point",
        20 => "#VE virtualization",
        ControlProtection => "#CP control protection",
        < Count => $"exception {vector}",
        _ => $"interrupt 0x{vector:x}",
    };

    /// <summary>The name's first word, as in "#PF".</summary>
    public static string ShortName(byte vector) => Name(vector) is var name && name[0] == '#' ? name[..3] : name;

    /// <summary>Whether the processor pushes an error code.</summary>
    public static bool HasErrorCode(byte vector) =>
        vector is DoubleFault or InvalidTss or SegmentNotPresent or StackFault or GeneralProtection or PageFault or AlignmentCheck
            or ControlProtection;

    /// <summary>
    /// Whether a second exception during the delivery of a first one is a double fault, rather than delivered after it
    /// (SDM vol. 3, table 6-5).
    /// </summary>
    public static bool MakeDoubleFault(byte first, byte second) =>
        IsContributory(first) ? IsContributory(second)
        : first == PageFault && (IsContributory(second) || second == PageFault);

    private static bool IsContributory(byte vector) =>
        vector is DivideError or InvalidTss or SegmentNotPresent or StackFault or GeneralProtection or ControlProtection;
}
