namespace MiniVmm.Machine;

/// <summary>What firmware boots from, and whether it asks.</summary>
/// <param name="Drives">Up to three letters, the first first: c for hard disks, d for CD-ROM, a for floppies, n for networks.</param>
/// <param name="HasMenu">Whether it offers a menu.</param>
public sealed record BootOrder(string Drives, bool HasMenu = false)
{
    /// <summary>Most letters that a PC's CMOS memory holds.</summary>
    public const int MaxDrives = 3;

    /// <summary>What counts instead of <see cref="Drives"/> at the first start, before the guest resets the machine; null for nothing.</summary>
    public string? Once { get; init; }

    /// <summary>The order of a machine that starts again.</summary>
    public BootOrder Again() => this with { Once = null };

    /// <summary>The nth drive as SeaBIOS numbers them; 0 for none.</summary>
    internal int Nibble(int n)
    {
        string drives = Once ?? Drives;
        return n >= drives.Length ? 0 : drives[n] switch
        {
            'a' => 1,
            'c' => 2,
            'd' => 3,
            'n' => 4,
            _ => 0,
        };
    }
}
