using System.Globalization;

namespace MiniVmm.Inspection;

/// <summary>A descriptor of a GDT or LDT (SDM vol. 3, 3.4.5 and 3.5).</summary>
/// <param name="Low">Its first eight bytes.</param>
/// <param name="High">The next eight, which a system descriptor has in IA-32e mode; else 0.</param>
internal readonly record struct SegmentDescriptor(ulong Low, ulong High = 0)
{
    /// <summary>Bits 40 to 43.</summary>
    public int Type => (int)(Low >> 40 & 0xf);

    /// <summary>Not code or data: a TSS, an LDT, a gate.</summary>
    public bool IsSystem => (Low >> 44 & 1) == 0;

    public bool IsCode => !IsSystem && (Type & 8) != 0;

    public bool IsConforming => IsCode && (Type & 4) != 0;

    public bool IsWritableData => !IsSystem && (Type & 0b1010) == 0b0010;

    public int Dpl => (int)(Low >> 45 & 3);

    public bool IsPresent => (Low >> 47 & 1) != 0;

    /// <summary>L: 64-bit code.</summary>
    public bool IsLong => (Low >> 53 & 1) != 0;

    /// <summary>D/B: 32 bits by default.</summary>
    public bool IsBig => (Low >> 54 & 1) != 0;

    /// <summary>A TSS of 32 bits, or of 64 in IA-32e mode, available or busy.</summary>
    public bool IsTss => IsSystem && Type is 9 or 11;

    public ulong Base => Low >> 16 & 0xff_ffff | Low >> 32 & 0xff00_0000 | High << 32;

    /// <summary>The last offset, scaled by G.</summary>
    public uint Limit
    {
        get
        {
            uint limit = (uint)(Low & 0xffff | Low >> 32 & 0xf_0000);
            return (Low >> 55 & 1) != 0 ? limit << 12 | 0xfff : limit;
        }
    }

    /// <summary>As in "64-bit code, DPL 0", "null", "busy 32-bit TSS at 0x104000, limit 0x67".</summary>
    public string Describe()
    {
        if (Low == 0)
            return "null";
        string kind = IsSystem
            ? Type switch
            {
                1 => "16-bit TSS",
                2 => "LDT",
                3 => "busy 16-bit TSS",
                9 => "TSS",
                11 => "busy TSS",
                4 or 5 or 6 or 7 or 12 or 14 or 15 => "gate",
                _ => "reserved",
            }
            : IsCode ? $"{(IsLong ? "64" : IsBig ? "32" : "16")}-bit code{((Type & 2) != 0 ? "" : ", execute-only")}{(IsConforming ? ", conforming" : "")}"
            : $"{((Type & 2) != 0 ? "writable" : "read-only")} data{((Type & 4) != 0 ? ", expand-down" : "")}";
        string place = !IsSystem && IsLong ? "" : string.Create(
            CultureInfo.InvariantCulture, $", base 0x{Base:x}, limit 0x{Limit:x}");
        return $"{kind}, DPL {Dpl}{place}{(IsPresent ? "" : ", not present")}";
    }
}
