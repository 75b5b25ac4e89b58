using System.Globalization;

namespace MiniVmm.Teaching.Explain;

/// <summary>How the value of a field is written.</summary>
internal enum FieldFormat
{
    /// <summary>Below 10 in decimal, else in hexadecimal.</summary>
    Number,

    /// <summary>In decimal.</summary>
    Decimal,

    /// <summary>A number of bytes.</summary>
    Bytes,

    /// <summary>One of several names.</summary>
    Name,

    /// <summary>Several names at once.</summary>
    Flags,
}

/// <summary>A field of a structure of linux/kvm.h.</summary>
/// <param name="Name">The kernel's spelling.</param>
/// <param name="Offset">In bytes.</param>
/// <param name="Size">Of one element, in bytes: 1, 2, 4 or 8, or the structure's.</param>
/// <param name="Count">How many there are in a row; 1 for no array.</param>
/// <param name="Structure">What it is, if no number.</param>
/// <param name="Format">How it is written.</param>
/// <param name="Names">Those of its values or bits.</param>
internal sealed record KvmField(
    string Name, int Offset, int Size, int Count, KvmStructure? Structure, FieldFormat Format, (ulong Value, string Name)[] Names)
{
    /// <summary>The value of one element.</summary>
    public ulong Read(ReadOnlySpan<byte> block, int index = 0)
    {
        ReadOnlySpan<byte> bytes = block.Slice(Offset + (index * Size), Size);
        return Size switch
        {
            1 => bytes[0],
            2 => BitConverter.ToUInt16(bytes),
            4 => BitConverter.ToUInt32(bytes),
            _ => BitConverter.ToUInt64(bytes),
        };
    }

    /// <summary>A value as people read it, and C too: without a blank.</summary>
    public string Text(ulong value) => Format switch
    {
        FieldFormat.Decimal => value.ToString(CultureInfo.InvariantCulture),
        FieldFormat.Name when Array.Find(Names, name => name.Value == value).Name is { } name => name,
        FieldFormat.Flags => Flags(value),
        _ => Plain(value),
    };

    public static string Plain(ulong value) => value < 10 ? $"{value}" : $"0x{value:x}";

    private string Flags(ulong value)
    {
        List<string> names = [];
        foreach ((ulong bit, string name) in Names)
        {
            if ((value & bit) == bit && bit != 0)
            {
                names.Add(name);
                value &= ~bit;
            }
        }

        if (value != 0 || names.Count == 0)
            names.Add(Plain(value));
        return string.Join('|', names);
    }
}

/// <summary>A structure of linux/kvm.h: the tests hold it against the ABI's.</summary>
/// <param name="Name">The kernel's.</param>
/// <param name="Size">In bytes, without the list behind it.</param>
/// <param name="Fields">In their order.</param>
/// <param name="List">What follows it, as often as its first field says; null for nothing.</param>
internal sealed record KvmStructure(string Name, int Size, IReadOnlyList<KvmField> Fields, KvmStructure? List = null)
{
    /// <summary>For arguments that are numbers.</summary>
    public static KvmStructure None { get; } = new("", 0, []);

    /// <summary>
    /// Puts one together from a text: words <c>name:size</c>, where size is bytes, or <c>size*count</c>, or the name of one of
    /// <paramref name="parts"/>; behind a further colon how it is written: <c>d</c>, <c>b</c>, or the names of values or bits.
    /// </summary>
    /// <param name="names">Names by the word behind the second colon; their format too.</param>
    public static KvmStructure Of(
        string name, string fields, IReadOnlyList<KvmStructure> parts, IReadOnlyDictionary<string, (FieldFormat, (ulong, string)[])> names, KvmStructure? list = null)
    {
        List<KvmField> read = [];
        int offset = 0;
        int alignment = 1;
        foreach (string word in fields.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            string[] terms = word.Split(':');
            string[] sizes = terms[1].Split('*');
            int count = sizes.Length > 1 ? int.Parse(sizes[1], CultureInfo.InvariantCulture) : 1;
            KvmStructure? part = parts.FirstOrDefault(structure => structure.Name == sizes[0]);
            int size = part?.Size ?? int.Parse(sizes[0], CultureInfo.InvariantCulture);
            int aligned = part is null ? size : part.Alignment;
            offset = (offset + aligned - 1) / aligned * aligned;
            (FieldFormat format, (ulong, string)[] known) = terms.Length < 3 ? (FieldFormat.Number, [])
                : terms[2] == "d" ? (FieldFormat.Decimal, [])
                : terms[2] == "b" ? (FieldFormat.Bytes, [])
                : names[terms[2]];
            read.Add(new(terms[0], offset, size, count, part, format, known));
            offset += size * count;
            alignment = Math.Max(alignment, aligned);
        }

        return new(name, (offset + alignment - 1) / alignment * alignment, read, list);
    }

    private int Alignment => Fields.Max(part => part.Structure?.Alignment ?? part.Size);
}
