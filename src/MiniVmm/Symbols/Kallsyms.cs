using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Symbols;

/// <summary>
/// The symbols that a 64-bit Linux kernel carries in its own memory (scripts/kallsyms.c, kernel/kallsyms.c). Nothing says where they are:
/// they are found by their shape, in which the digits stand for themselves. Since Linux 4.20; all of it is the guest's, and checked.
/// </summary>
internal sealed class Kallsyms
{
    /// <summary>Where x86-64 has the kernel's image, at whatever place of it (Documentation/arch/x86/x86_64/mm.rst).</summary>
    public const ulong FirstAddress = 0xffff_ffff_8000_0000;

    /// <summary>Behind the image: modules.</summary>
    public const ulong EndAddress = 0xffff_ffff_c000_0000;

    private const int Tokens = 256;
    private const int LongestToken = 512;
    private const int GroupBits = 8; // a marker for each 256 names
    private const int FewestMarkers = 8;
    private const int MostMarkers = 1 << 12;
    private const int LargestGroup = 1 << 16;
    private const int MarkersWithin = 2 << 20; // before the tokens, with three bytes a symbol between them
    private const int MostCandidates = 64;
    private const int MostLists = 4; // of markers, before one table of tokens
    private const int MostWalks = 32; // over names, in all: a guest may make each as long as it likes
    private const int LongestName = 200;

    private readonly byte[] _names;
    private readonly int[] _groups;
    private readonly string[] _tokens;
    private readonly ulong[] _addresses;
    private readonly ulong _start;

    private Kallsyms(byte[] names, int[] groups, string[] tokens, ulong[] addresses)
    {
        _names = names;
        _groups = groups;
        _tokens = tokens;
        _addresses = addresses;
        _start = Array.Find(addresses, address => address >= FirstAddress);
    }

    private static ReadOnlySpan<byte> Digits => "0\01\02\03\04\05\06\07\08\09\0"u8;

    /// <summary>How many symbols there are.</summary>
    public int Count => _addresses.Length;

    /// <summary>The symbols in a piece of guest memory that begins on a page; null where it has none.</summary>
    public static Kallsyms? Find(ReadOnlySpan<byte> memory)
    {
        int from = 0;
        int walks = 0;
        for (int candidate = 0; candidate < MostCandidates; candidate++)
        {
            int digits = memory[from..].IndexOf(Digits);
            if (digits < 0)
                return null;
            digits += from;
            from = digits + 1;
            if (ReadTokens(memory, digits, out int start, out int index) is { } tokens && ReadBefore(memory, tokens, start, index, ref walks) is { } found)
                return found;
        }

        return null;
    }

    /// <summary>The symbol at or before an address, as in "schedule+0x12"; null outside of the kernel's image.</summary>
    public string? Describe(ulong address)
    {
        if (!Contains(address))
            return null;
        int low = Array.BinarySearch(_addresses, address);
        if (low < 0)
            low = ~low - 1;
        ulong start = _addresses[low];
        while (low > 0 && _addresses[low - 1] == start)
            low--; // of several names the first, as the kernel itself prints it
        return Name(low) is not { } name ? null : address == start ? name : $"{name}+0x{address - start:x}";
    }

    /// <summary>Whether an address is in the kernel's image.</summary>
    public bool Contains(ulong address) =>
        address is >= FirstAddress and < EndAddress && address >= _start && address < _addresses[^1];

    /// <summary>256 strings, each with a zero behind it, and a table of where each begins.</summary>
    private static string[]? ReadTokens(ReadOnlySpan<byte> memory, int digits, out int start, out int index)
    {
        start = index = 0;
        int end = digits;
        for (int i = '0'; i < Tokens; i++)
        {
            int length = memory[end..Math.Min(memory.Length, end + LongestToken)].IndexOf((byte)0);
            if (length < 0)
                return null;
            end += length + 1;
        }

        index = Align(end);
        if (index > memory.Length - Tokens * sizeof(ushort))
            return null;
        start = digits - U16(memory, index + '0' * sizeof(ushort));
        if (start < 0)
            return null;
        string[] tokens = new string[Tokens];
        int at = 0;
        for (int i = 0; i < Tokens; i++)
        {
            int length = U16(memory, index + i * sizeof(ushort)) == at ? memory[(start + at)..end].IndexOf((byte)0) : -1;
            if (length is < 0 or > LongestToken)
                return null;
            tokens[i] = Encoding.ASCII.GetString(memory.Slice(start + at, length));
            at += length + 1;
            if (start + at > end || start + at == end && i < Tokens - 1)
                return null;
        }

        return tokens;
    }

    /// <summary>What lies before the tokens: names, and markers, where each 256th name begins.</summary>
    private static Kallsyms? ReadBefore(ReadOnlySpan<byte> memory, string[] tokens, int start, int index, ref int walks)
    {
        int at = Math.Max(0, start - MarkersWithin) & ~3;
        for (int list = 0; list < MostLists && at + 8 <= start; at += 4)
        {
            if (U32(memory, at) != 0 || !IsGroup(U32(memory, at + 4), 0))
                continue;
            int count = 2;
            while (at + (count + 1) * 4 <= start && IsGroup(U32(memory, at + count * 4), U32(memory, at + count * 4 - 4)))
                count++;
            if (count is >= FewestMarkers and <= MostMarkers)
            {
                list++;
                if (ReadNames(memory, at, count, ref walks, out int names, out int symbols) is { } groups
                    && (ReadAddresses(memory, Align(index + Tokens * sizeof(ushort)), symbols)
                        ?? ReadAddresses(memory, names - 16 - Align(symbols * 4), symbols)) is { } addresses)
                    return new(memory[names..at].ToArray(), groups, tokens, addresses);
            }

            at += (count - 2) * 4;
        }

        return null;

        static bool IsGroup(uint marker, uint before) => marker > before && marker - before is >= 2 << GroupBits and < LargestGroup;
    }

    /// <summary>The names, which end at their markers; before them stands how many they are.</summary>
    private static int[]? ReadNames(ReadOnlySpan<byte> memory, int markers, int count, ref int walks, out int names, out int symbols)
    {
        int[] groups = new int[count];
        for (int i = 0; i < count; i++)
            groups[i] = (int)U32(memory, markers + i * 4);
        symbols = names = 0;
        if (groups[^1] < 0 || groups[^1] > markers)
            return null;
        names = (markers - groups[^1]) & ~7;
        for (int least = Math.Max(16, names - LargestGroup); names >= least; names -= 8)
        {
            uint said = U32(memory, names - 8);
            if (said > (uint)(count - 1) << GroupBits && said <= (uint)count << GroupBits && U32(memory, names - 4) == 0
                && walks++ < MostWalks && EndOf(memory[names..markers], groups, (int)said) is { } end && Align(names + end) == markers)
            {
                symbols = (int)said;
                return groups;
            }
        }

        return null;
    }

    /// <summary>Where so many names end, if each 256th begins at its marker.</summary>
    private static int? EndOf(ReadOnlySpan<byte> names, int[] groups, int symbols)
    {
        int at = 0;
        for (int i = 0; i < symbols; i++)
        {
            if ((i & ((1 << GroupBits) - 1)) == 0 && groups[i >> GroupBits] != at || !TrySkip(names, ref at, out _))
                return null;
        }

        return at;
    }

    /// <summary>32 bits a symbol and, behind them, what they are relative to.</summary>
    private static ulong[]? ReadAddresses(ReadOnlySpan<byte> memory, int at, int symbols)
    {
        int end = at + Align(symbols * 4);
        if (at < 0 || end > memory.Length - 8)
            return null;
        ulong relativeTo = BinaryPrimitives.ReadUInt64LittleEndian(memory[end..]);
        if (relativeTo is < FirstAddress or >= EndAddress || (relativeTo & 0xfff) != 0)
            return null;

        // Where some are negative, those are the kernel's, and others are no addresses: places in each processor's own data.
        bool signed = false;
        for (int i = 0; i < symbols; i++)
            signed |= (int)U32(memory, at + i * 4) < 0;
        ulong[] addresses = new ulong[symbols];
        for (int i = 0; i < symbols; i++)
        {
            int offset = (int)U32(memory, at + i * 4);
            addresses[i] = !signed ? relativeTo + (uint)offset : offset < 0 ? relativeTo - 1 + (ulong)-(long)offset : (ulong)offset;
            if (i > 0 && addresses[i] < addresses[i - 1])
                return null;
        }

        return addresses;
    }

    private static bool TrySkip(ReadOnlySpan<byte> names, ref int at, out Range tokens)
    {
        tokens = default;
        if (at >= names.Length)
            return false;
        int length = names[at++];
        if (length >= 0x80) // since 6.1 a long name has a second byte of length
        {
            if (at >= names.Length)
                return false;
            length = (length & 0x7f) | names[at++] << 7;
        }

        if (length == 0 || length > names.Length - at)
            return false;
        tokens = at..(at + length);
        at += length;
        return true;
    }

    private string? Name(int symbol)
    {
        int at = _groups[symbol >> GroupBits];
        Range tokens = default;
        for (int i = symbol & ~((1 << GroupBits) - 1); i <= symbol; i++)
        {
            if (!TrySkip(_names, ref at, out tokens))
                return null;
        }

        StringBuilder name = new();
        foreach (byte token in _names.AsSpan(tokens))
        {
            name.Append(_tokens[token]);
            if (name.Length > LongestName)
                return null;
        }

        string text = name.ToString();
        return text.Length < 2 || text.AsSpan().ContainsAnyExceptInRange('!', '~') ? null : text[1..]; // without its type
    }

    private static int Align(int at) => (at + 7) & ~7;

    private static ushort U16(ReadOnlySpan<byte> memory, int at) => BinaryPrimitives.ReadUInt16LittleEndian(memory[at..]);

    private static uint U32(ReadOnlySpan<byte> memory, int at) => BinaryPrimitives.ReadUInt32LittleEndian(memory[at..]);
}
