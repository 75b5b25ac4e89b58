using System.Globalization;

namespace MiniVmm.Network;

/// <summary>A 48-bit Ethernet address; the first byte on the wire is the highest of <see cref="Value"/>.</summary>
public readonly record struct MacAddress(ulong Value)
{
    /// <summary>Bytes of one.</summary>
    public const int Length = 6;

    // QEMU's first default. Each network in user mode is its own: any number of guests may have it.
    private const ulong UserMode = 0x5254_0012_3456;

    // 52:54 is locally administered, and known as a virtual machine's.
    private const ulong Prefix = 0x5254_0000_0000;

    /// <summary>Whether it can be a card's own: neither a group's nor all zeroes.</summary>
    public bool IsUnicast => Value != 0 && (Value >> 40 & 1) == 0;

    /// <summary>Reads 52:54:00:12:34:56, in either case, or with dashes.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out MacAddress address)
    {
        address = default;
        if (text.Length != 17 || text[2] is not (':' or '-'))
            return false;
        ulong value = 0;
        for (int i = 0; i < Length; i++)
        {
            if ((i > 0 && text[(i * 3) - 1] != text[2])
                || !byte.TryParse(
                    text.Slice(i * 3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte part))
                return false;
            value = (value << 8) | part;
        }

        address = new MacAddress(value);
        return true;
    }

    /// <summary>
    /// The default address of a card: the same at each start, and different from all others on its network. On a host
    /// interface it is derived from the machine's name or, without one, from the interface's name, which no two running
    /// machines share (the first one on a bridge is always mvm0, and so on); the host's identity is mixed in, since two
    /// hosts may reach each other. A card in user mode is alone on its network: 52:54:00:12:34:56, the next one …:57.
    /// </summary>
    /// <param name="machine">The machine's name, if it has one.</param>
    /// <param name="interfaceName">The host's interface of the card; null in user mode.</param>
    /// <param name="index">The card's number in its machine.</param>
    /// <param name="host">What distinguishes this host from others, as in /etc/machine-id.</param>
    public static MacAddress Default(string? machine, string? interfaceName, int index, string host)
    {
        if (interfaceName is null)
            return new MacAddress(UserMode + (uint)index);
        string identity = machine is null ? $"{host}/interface/{interfaceName}" : $"{host}/machine/{machine}/{index}";

        // FNV-1a, and the finish of MurmurHash3, so that the last letter changes all bits.
        ulong hash = 0xcbf2_9ce4_8422_2325;
        foreach (char letter in identity)
            hash = (hash ^ letter) * 0x0000_0100_0000_01b3;
        hash = (hash ^ (hash >> 33)) * 0xff51_afd7_ed55_8ccd;
        hash = (hash ^ (hash >> 33)) * 0xc4ce_b9fe_1a85_ec53;
        return new MacAddress(Prefix | (uint)(hash ^ (hash >> 33)));
    }

    /// <summary>Writes the six bytes as they go over the wire.</summary>
    public void CopyTo(Span<byte> bytes)
    {
        for (int i = 0; i < Length; i++)
            bytes[i] = (byte)(Value >> (40 - (8 * i)));
    }

    public override string ToString() =>
        $"{Value >> 40 & 0xff:x2}:{Value >> 32 & 0xff:x2}:{Value >> 24 & 0xff:x2}:"
        + $"{Value >> 16 & 0xff:x2}:{Value >> 8 & 0xff:x2}:{Value & 0xff:x2}";
}
