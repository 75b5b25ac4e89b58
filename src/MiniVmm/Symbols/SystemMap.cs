using System.Text;

namespace MiniVmm.Symbols;

/// <summary>
/// The functions that a System.map lists (scripts/mksysmap in Linux's source; what nm prints): a line for each symbol, with its address in
/// hexadecimal, a letter for its kind, and its name. In any order; the file must stay readable.
/// </summary>
internal sealed class SystemMap
{
    /// <summary>Bytes; that of a kernel with everything in it has some 20 MB.</summary>
    public const long LargestFile = 64 << 20;

    private const int MostSymbols = 1 << 22;
    private const int LongestName = 200;

    /// <summary>How far behind the last symbol, if it is a function, an address may be, in bytes.</summary>
    private const ulong MaxDistance = 64 << 10;

    private readonly ReadOnlyMemory<byte> _file;
    private readonly ulong[] _addresses;
    private readonly int[] _names; // where each begins
    private int _count;
    private ulong _first = ulong.MaxValue;
    private ulong _lastFunction;
    private ulong _end; // of all else

    private SystemMap(ReadOnlyMemory<byte> file, int lines)
    {
        _file = file;
        _addresses = new ulong[lines];
        _names = new int[lines];
    }

    /// <summary>Where the kernel has the text that begins with "Linux version"; null where it is no Linux kernel's map.</summary>
    public ulong? Banner { get; private set; }

    /// <summary>Where a Linux kernel has the digits that it prints hexadecimal numbers with; null where the map does not say.</summary>
    public ulong? Digits { get; private set; }

    /// <param name="file">What it says.</param>
    /// <param name="path">Its name.</param>
    /// <exception cref="BadInputException">It is something else, has no functions, or more symbols than any kernel.</exception>
    public static SystemMap Parse(ReadOnlyMemory<byte> file, string path)
    {
        int lines = Lines(file.Span, path);
        SystemMap map = new(file, lines);
        for (int line = 1, at = 0; line <= lines; line++)
        {
            int length = LineAt(file.Span, at);
            if (!map.TryAdd(file.Span.Slice(at, length), at))
            {
                throw new BadInputException($"{OptionName.Symbols.With(path)}: is neither an ELF file nor a System.map: line {line} is not an "
                    + $"address, a letter and a name");
            }

            at += length + 1;
        }

        return map._count > 0 ? map : throw new BadInputException($"{OptionName.Symbols.With(path)}: names no functions, which have the letters T and t");
    }

    /// <summary>Whether an address is in the kernel, by all that the map lists.</summary>
    public bool Contains(ulong address) => address >= _first
        && (address < Math.Max(_end, _lastFunction) || _lastFunction >= _end && address - _lastFunction < MaxDistance);

    /// <summary>The function at or before an address of the kernel's, as in "schedule+0x12"; null outside of it.</summary>
    public string? Describe(ulong address)
    {
        if (!Contains(address))
            return null;
        int best = -1;
        for (int i = 0; i < _count; i++)
        {
            if (_addresses[i] <= address && (best < 0 || _addresses[i] > _addresses[best]))
                best = i; // of several names the first
        }

        string name = Encoding.ASCII.GetString(NameAt(_names[best]));
        return _addresses[best] == address ? name : $"{name}+0x{address - _addresses[best]:x}";
    }

    private static int Lines(ReadOnlySpan<byte> file, string path)
    {
        // As Debian has it in /boot: one line, "ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package".
        if (file.StartsWith("ffffffffffffffff B The real System.map "u8))
        {
            throw new BadInputException(
                $"{OptionName.Symbols.With(path)}: has no symbols, only a note that Debian has them in the package linux-image-VERSION-dbg");
        }

        int lines = 0;
        for (int at = 0; at < file.Length; at += LineAt(file, at) + 1)
        {
            if (++lines > MostSymbols)
                throw new BadInputException($"{OptionName.Symbols.With(path)}: has more than {MostSymbols} symbols, which no kernel has");
        }

        return lines;
    }

    private static int LineAt(ReadOnlySpan<byte> file, int at)
    {
        int length = file[at..].IndexOf((byte)'\n');
        return length < 0 ? file.Length - at : length;
    }

    /// <returns>False where it is no such line.</returns>
    private bool TryAdd(ReadOnlySpan<byte> line, int at)
    {
        int digits = 0;
        ulong address = 0;
        for (; digits < line.Length && Digit(line[digits]) is >= 0 and var digit; digits++)
            address = address << 4 | (uint)digit;
        if (digits is 0 or > 16 || line.Length < digits + 4 || line[digits] != ' ' || line[digits + 2] != ' ')
            return false;
        ReadOnlySpan<byte> name = NameAt(at + digits + 3);
        byte kind = (byte)(line[digits + 1] | 0x20);
        if (name.Length is 0 or > LongestName || kind is < (byte)'a' or > (byte)'z')
            return false;
        if (kind == 'a')
            return true; // not an address but a number, or a place in each processor's own data
        if (name.SequenceEqual("linux_banner"u8))
            Banner = address;
        if (name.SequenceEqual("hex_asc"u8))
            Digits = address;
        if (kind is not ((byte)'t' or (byte)'w'))
        {
            _end = Math.Max(_end, address);
            return true;
        }

        _lastFunction = Math.Max(_lastFunction, address);
        _first = Math.Min(_first, address);
        _addresses[_count] = address;
        _names[_count++] = at + digits + 3;
        return true;
    }

    /// <summary>Up to a blank, a tab (nm -l) or the line's end; empty where it has letters that no name has.</summary>
    private ReadOnlySpan<byte> NameAt(int at)
    {
        ReadOnlySpan<byte> rest = _file.Span[at..];
        int length = 0;
        while (length < rest.Length && length <= LongestName && rest[length] is > (byte)' ' and <= (byte)'~')
            length++;
        return length == rest.Length || rest[length] is (byte)'\n' or (byte)'\r' or (byte)'\t' ? rest[..length] : [];
    }

    private static int Digit(byte letter) => letter switch
    {
        >= (byte)'0' and <= (byte)'9' => letter - '0',
        >= (byte)'a' and <= (byte)'f' => letter - 'a' + 10,
        _ => -1,
    };
}
