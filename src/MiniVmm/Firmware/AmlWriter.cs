using System.Globalization;

namespace MiniVmm.Firmware;

/// <summary>
/// Writes ACPI Machine Language, the part of it that these machines need (ACPI 6.5, chapter 20).
/// Objects are written in the order of the calls; <see cref="Name"/> and <see cref="Return"/> want a data object next.
/// </summary>
internal sealed partial class AmlWriter
{
    private readonly ByteWriter output = new();

    public byte[] ToArray() => output.ToArray();

    /// <summary>Begins a named object: the next call gives its value.</summary>
    /// <param name="path">As in ASL: a name of up to four characters, dots between several, \ or ^ before them.</param>
    /// <exception cref="ArgumentException">Not such a path.</exception>
    public AmlWriter Name(string path)
    {
        output.U8(0x08);
        Path(output, path);
        return this;
    }

    /// <summary>An integer in its shortest form.</summary>
    public AmlWriter Integer(ulong value)
    {
        switch (value)
        {
            case 0 or 1:
                output.U8((byte)value);
                break;
            case <= byte.MaxValue:
                output.U8(0x0a);
                output.U8((byte)value);
                break;
            case <= ushort.MaxValue:
                output.U8(0x0b);
                output.U16((ushort)value);
                break;
            case <= uint.MaxValue:
                output.U8(0x0c);
                output.U32((uint)value);
                break;
            default:
                output.U8(0x0e);
                output.U64(value);
                break;
        }

        return this;
    }

    /// <exception cref="ArgumentException">A character that is not ASCII, or is NUL, which ends a string.</exception>
    public AmlWriter String(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Any(c => c is '\0' or > '\x7f'))
            throw new ArgumentException($"'{text}' is not ASCII", nameof(text));
        output.U8(0x0d);
        output.Ascii(text);
        output.U8(0);
        return this;
    }

    /// <summary>
    /// A hardware ID: the compressed integer if it has the form of an EISA ID, three capitals and four
    /// hexadecimal digits as in PNP0501, else a string (ACPI 6.5, 6.1.5 and 19.3.4).
    /// </summary>
    public AmlWriter HardwareId(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        if (id.Length != 7 || !id.Take(3).All(char.IsAsciiLetterUpper)
            || !ushort.TryParse(id[3..], NumberStyles.AllowHexSpecifier, null, out ushort product))
            return String(id);

        // Five bits a letter and then the product, big-endian; an AML integer is little-endian.
        output.U8(0x0c);
        int letters = ((id[0] - '@') << 10) | ((id[1] - '@') << 5) | (id[2] - '@');
        output.U8((byte)(letters >> 8));
        output.U8((byte)letters);
        output.U8((byte)(product >> 8));
        output.U8((byte)product);
        return this;
    }

    public AmlWriter Buffer(ReadOnlySpan<byte> data)
    {
        AmlWriter body = new();
        body.Integer((ulong)data.Length);
        body.output.Bytes(data);
        return Block([0x11], body);
    }

    /// <summary>A package of up to 255 integers.</summary>
    public AmlWriter Package(params ReadOnlySpan<ulong> integers)
    {
        AmlWriter body = new();
        body.output.U8(checked((byte)integers.Length));
        foreach (ulong value in integers)
            body.Integer(value);
        return Block([0x12], body);
    }

    /// <summary>Goes to a scope that exists, such as \_SB, and writes in it.</summary>
    public AmlWriter Scope(string path, Action<AmlWriter> content) => Block([0x10], Named(path, content));

    public AmlWriter Device(string path, Action<AmlWriter> content) => Block([0x5b, 0x82], Named(path, content));

    /// <summary>A control method that takes 0–7 arguments.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="arguments">How many it takes.</param>
    /// <param name="content">Writes what it does.</param>
    /// <param name="serialized">Whether callers take turns.</param>
    public AmlWriter Method(string path, int arguments, Action<AmlWriter> content, bool serialized = false)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)arguments, 7u, nameof(arguments));
        AmlWriter body = new();
        Path(body.output, path);
        body.output.U8((byte)(arguments | (serialized ? 1 << 3 : 0)));
        content(body);
        return Block([0x14], body);
    }

    /// <summary>Returns from a method: the next call gives what.</summary>
    public AmlWriter Return()
    {
        output.U8(0xa4);
        return this;
    }

    /// <summary>
    /// A length in front of what it counts, itself included: one byte to 63, else the count of further bytes
    /// and the low four bits, then eight bits a byte (ACPI 6.5, 20.2.4).
    /// </summary>
    /// <param name="body">Bytes that follow; with the length less than 2^28.</param>
    internal static byte[] PackageLength(int body)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)body, (1u << 28) - 5, nameof(body));
        if (body + 1 < 1 << 6)
            return [(byte)(body + 1)];
        int size = body + 2 < 1 << 12 ? 2 : body + 3 < 1 << 20 ? 3 : 4;
        int length = body + size;
        byte[] encoded = new byte[size];
        encoded[0] = (byte)(((size - 1) << 6) | (length & 0xf));
        for (int i = 1; i < size; i++)
            encoded[i] = (byte)(length >> (8 * i - 4));
        return encoded;
    }

    private static AmlWriter Named(string path, Action<AmlWriter> content)
    {
        AmlWriter body = new();
        Path(body.output, path);
        content(body);
        return body;
    }

    private AmlWriter Block(ReadOnlySpan<byte> opcode, AmlWriter body)
    {
        output.Bytes(opcode);
        output.Bytes(PackageLength(body.output.Length));
        output.Bytes(body.output.Written);
        return this;
    }

    /// <summary>A NameString: prefixes, then one bare segment, two after 0x2e, else 0x2f and a count.</summary>
    private static void Path(ByteWriter output, string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        string names = path.StartsWith('\\') ? path[1..] : path.TrimStart('^');
        output.Ascii(path[..^names.Length]);
        if (names.Length == 0 && path.Length > 0)
        {
            output.U8(0);
            return;
        }

        string[] segments = names.Split('.');
        if (segments.Length == 2)
        {
            output.U8(0x2e);
        }
        else if (segments.Length > 2)
        {
            output.U8(0x2f);
            output.U8(checked((byte)segments.Length));
        }

        foreach (string segment in segments)
        {
            bool valid = segment.Length is >= 1 and <= 4 && !char.IsAsciiDigit(segment[0])
                && segment.All(c => c == '_' || char.IsAsciiDigit(c) || char.IsAsciiLetterUpper(c));
            if (!valid)
                throw new ArgumentException($"'{path}' is not an ACPI name: '{segment}' in it is not", nameof(path));
            output.Ascii(segment.PadRight(4, '_'));
        }
    }
}
