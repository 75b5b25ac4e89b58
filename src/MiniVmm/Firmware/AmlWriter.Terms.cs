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

    /// <summary>Two operands.</summary>
    public AmlWriter Equal() => Operator(0x93);

    /// <inheritdoc cref="Equal"/>
    public AmlWriter NotEqual() => Operator(0x92, 0x93);

    /// <summary>Names four bytes of a buffer: the buffer, then an integer, the first byte; then <see cref="Reference"/>.</summary>
    public AmlWriter CreateDwordField() => Operator(0x8a);

    public AmlWriter If(Action<AmlWriter> predicate, Action<AmlWriter> content) => Block([0xa0], Written(predicate + content));

    /// <summary>Right behind an <see cref="If"/>.</summary>
    public AmlWriter Else(Action<AmlWriter> content) => Block([0xa1], Written(content));

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
