namespace MiniVmm.Firmware;

/// <summary>Control methods: operators in prefix form, each followed by its operands and then its target (ACPI 6.5, 20.2.5).</summary>
internal sealed partial class AmlWriter
{
    /// <summary>An object by its path, as an operand or a target.</summary>
    public AmlWriter Reference(string path)
    {
        Path(output, path);
        return this;
    }

    /// <summary>An argument of the method, 0–6.</summary>
    public AmlWriter Argument(int number)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)number, 6u, nameof(number));
        output.U8((byte)(0x68 + number));
        return this;
    }

    /// <summary>A local variable of the method, 0–7.</summary>
    public AmlWriter Local(int number)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)number, 7u, nameof(number));
        output.U8((byte)(0x60 + number));
        return this;
    }

    /// <summary>Copies: source, then target.</summary>
    public AmlWriter Store() => Operator(0x70);

    /// <summary>Two operands and a target.</summary>
    public AmlWriter And() => Operator(0x7b);

    /// <inheritdoc cref="And"/>
    public AmlWriter Or() => Operator(0x7d);

    /// <inheritdoc cref="And"/>
    public AmlWriter ShiftRight() => Operator(0x7a);

    /// <summary>Where a target is due, and the result is only the value of the expression.</summary>
    public AmlWriter NoTarget() => Operator(0);

    /// <summary>Tells a device's driver: the device, then what to say.</summary>
    public AmlWriter Notify() => Operator(0x86);

    /// <summary>Two operands.</summary>
    public AmlWriter Equal() => Operator(0x93);

    /// <inheritdoc cref="Equal"/>
    public AmlWriter NotEqual() => Operator(0x92, 0x93);

    /// <summary>Names four bytes of a buffer: the buffer, then an integer, the first byte; then <see cref="Reference"/>.</summary>
    public AmlWriter CreateDwordField() => Operator(0x8a);

    public AmlWriter If(Action<AmlWriter> predicate, Action<AmlWriter> content) => Block([0xa0], Written(predicate + content));

    /// <summary>Right behind an <see cref="If"/>.</summary>
    public AmlWriter Else(Action<AmlWriter> content) => Block([0xa1], Written(content));

    /// <summary>As long as the predicate is not 0.</summary>
    public AmlWriter While(Action<AmlWriter> predicate, Action<AmlWriter> content) =>
        Block([0xa2], Written(predicate + content));

    /// <summary>Names I/O ports, for <see cref="Fields"/> in them.</summary>
    public AmlWriter PortRegion(string path, ushort port, byte length)
    {
        const byte SystemIo = 1;
        return Operator(0x5b, 0x80).Reference(path).Operator(SystemIo).Integer(port).Integer(length);
    }

    /// <summary>Names doublewords of a region, from its start on; each access is one of a whole doubleword.</summary>
    /// <param name="region">The region.</param>
    /// <param name="names">Four characters each.</param>
    public AmlWriter Fields(string region, params ReadOnlySpan<string> names)
    {
        const byte DwordAccess = 3, Bits = 32; // fewer than 64, so that the length is one byte
        AmlWriter body = new AmlWriter().Reference(region).Operator(DwordAccess);
        foreach (string name in names)
            body.Reference(name).Operator(Bits);
        return Block([0x5b, 0x81], body);
    }

    /// <summary>A package of up to 255 objects.</summary>
    /// <param name="count">How many <paramref name="content"/> writes.</param>
    public AmlWriter Package(int count, Action<AmlWriter> content)
    {
        AmlWriter body = new();
        body.output.U8(checked((byte)count));
        content(body);
        return Block([0x12], body);
    }

    private static AmlWriter Written(Action<AmlWriter> content)
    {
        AmlWriter body = new();
        content(body);
        return body;
    }

    private AmlWriter Operator(params ReadOnlySpan<byte> code)
    {
        output.Bytes(code);
        return this;
    }
}
