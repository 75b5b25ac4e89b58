namespace MiniVmm.Inspection;

/// <summary>Bits of control registers, EFER and RFLAGS (SDM vol. 3, 2.2.1, 2.3 and 2.5), and their names.</summary>
internal static class ControlBits
{
    public const ulong Cr0Pe = 1 << 0;
    public const ulong Cr0Mp = 1 << 1;
    public const ulong Cr0Em = 1 << 2;
    public const ulong Cr0Ts = 1 << 3;
    public const ulong Cr0Ne = 1 << 5;
    public const ulong Cr0Wp = 1 << 16;
    public const ulong Cr0Am = 1 << 18;
    public const ulong Cr0Pg = 1UL << 31;

    public const ulong Cr4Pse = 1 << 4;
    public const ulong Cr4Pae = 1 << 5;
    public const ulong Cr4Osfxsr = 1 << 9;
    public const ulong Cr4La57 = 1 << 12;
    public const ulong Cr4Fsgsbase = 1 << 16;
    public const ulong Cr4Osxsave = 1 << 18;
    public const ulong Cr4Smep = 1 << 20;
    public const ulong Cr4Smap = 1 << 21;

    public const ulong EferLme = 1 << 8;
    public const ulong EferLma = 1 << 10;
    public const ulong EferNxe = 1 << 11;

    public const ulong RflagsTf = 1 << 8;
    public const ulong RflagsIf = 1 << 9;
    public const ulong RflagsVm = 1 << 17;
    public const ulong RflagsAc = 1 << 18;

    public static ReadOnlySpan<(int Bit, string Name)> Cr0Names => new (int, string)[]
    {
        (0, "PE"), (1, "MP"), (2, "EM"), (3, "TS"), (4, "ET"), (5, "NE"), (16, "WP"), (18, "AM"), (29, "NW"), (30, "CD"), (31, "PG"),
    };

    public static ReadOnlySpan<(int Bit, string Name)> Cr4Names => new (int, string)[]
    {
        (0, "VME"), (1, "PVI"), (2, "TSD"), (3, "DE"), (4, "PSE"), (5, "PAE"), (6, "MCE"), (7, "PGE"), (8, "PCE"), (9, "OSFXSR"),
        (10, "OSXMMEXCPT"), (11, "UMIP"), (12, "LA57"), (13, "VMXE"), (16, "FSGSBASE"), (17, "PCIDE"), (18, "OSXSAVE"),
        (20, "SMEP"), (21, "SMAP"), (22, "PKE"), (23, "CET"), (24, "PKS"),
    };

    public static ReadOnlySpan<(int Bit, string Name)> EferNames => new (int, string)[]
    {
        (0, "SCE"), (8, "LME"), (10, "LMA"), (11, "NXE"), (12, "SVME"),
    };

    public static ReadOnlySpan<(int Bit, string Name)> RflagsNames => new (int, string)[]
    {
        (0, "CF"), (2, "PF"), (4, "AF"), (6, "ZF"), (7, "SF"), (8, "TF"), (9, "IF"), (10, "DF"), (11, "OF"), (14, "NT"),
        (16, "RF"), (17, "VM"), (18, "AC"), (19, "VIF"), (20, "VIP"), (21, "ID"),
    };

    /// <summary>As in "PE PG"; "-" for none.</summary>
    public static string NameCr0(ulong value) => Names(value, Cr0Names);

    /// <inheritdoc cref="NameCr0"/>
    public static string NameCr4(ulong value) => Names(value, Cr4Names);

    /// <inheritdoc cref="NameCr0"/>
    public static string NameEfer(ulong value) => Names(value, EferNames);

    /// <inheritdoc cref="NameCr0"/>
    public static string NameRflags(ulong value) => Names(value, RflagsNames);

    private static string Names(ulong value, ReadOnlySpan<(int Bit, string Name)> names)
    {
        List<string> set = [];
        foreach ((int bit, string name) in names)
        {
            if ((value >> bit & 1) != 0)
                set.Add(name);
        }

        return set.Count == 0 ? "-" : string.Join(' ', set);
    }
}
