namespace MiniVmm.Firmware;

/// <summary>When an interrupt line counts as raised.</summary>
public enum TriggerMode
{
    /// <summary>As long as it is high.</summary>
    Level,

    /// <summary>At each change from low to high.</summary>
    Edge,
}

/// <summary>What a device occupies, for its _CRS: resource descriptors in the order added (ACPI 6.5, 6.4).</summary>
public sealed class ResourceTemplate
{
    private const byte Writable = 1;
    private readonly ByteWriter descriptors = new();

    /// <summary>I/O ports, all 16 address bits decoded (6.4.2.5).</summary>
    public ResourceTemplate Io(ushort port, byte length)
    {
        descriptors.U8(0x47);
        descriptors.U8(1);
        descriptors.U16(port);
        descriptors.U16(port);
        descriptors.U8(1);
        descriptors.U8(length);
        return this;
    }

    /// <summary>An ISA interrupt line, 0–15: rising edge, not shared (6.4.2.1, without flags).</summary>
    public ResourceTemplate Irq(byte irq)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(irq, 15);
        descriptors.U8(0x22);
        descriptors.U16((ushort)(1 << irq));
        return this;
    }

    /// <summary>A writable memory window below 4 GiB (6.4.3.4).</summary>
    public ResourceTemplate Memory32(uint address, uint length)
    {
        descriptors.U8(0x86);
        descriptors.U16(9);
        descriptors.U8(1);
        descriptors.U32(address);
        descriptors.U32(length);
        return this;
    }

    /// <summary>An I/O APIC input by its global number: active high, not shared (6.4.3.6).</summary>
    public ResourceTemplate Interrupt(uint gsi, TriggerMode trigger)
    {
        const byte Consumer = 1, EdgeConsumer = 3;
        descriptors.U8(0x89);
        descriptors.U16(6);
        descriptors.U8(trigger == TriggerMode.Edge ? EdgeConsumer : Consumer);
        descriptors.U8(1);
        descriptors.U32(gsi);
        return this;
    }

    /// <summary>The buses behind a bridge, first and last (6.4.3.5.3).</summary>
    public ResourceTemplate BusNumbers(byte first, byte last)
    {
        Window(0x88, WindowType.Bus, 0, sizeof(ushort), first, last);
        return this;
    }

    /// <summary>I/O ports that a bridge passes on, first and last (6.4.3.5.3).</summary>
    public ResourceTemplate IoWindow(ushort first, ushort last)
    {
        const byte EntireRange = 3;
        Window(0x88, WindowType.Io, EntireRange, sizeof(ushort), first, last);
        return this;
    }

    /// <summary>Memory that a bridge passes on, first and last address (6.4.3.5.2).</summary>
    public ResourceTemplate MemoryWindow32(uint first, uint last)
    {
        Window(0x87, WindowType.Memory, Writable, sizeof(uint), first, last);
        return this;
    }

    /// <summary>The same with addresses of 64 bits (6.4.3.5.1).</summary>
    public ResourceTemplate MemoryWindow64(ulong first, ulong last)
    {
        Window(0x8a, WindowType.Memory, Writable, sizeof(ulong), first, last);
        return this;
    }

    /// <summary>The descriptors and the end tag, whose checksum 0 stands for none (6.4.2.9).</summary>
    internal byte[] ToArray() => [.. descriptors.Written, 0x79, 0];

    /// <summary>An address space descriptor: produced, and both ends fixed. Five numbers of a width follow the flags.</summary>
    private void Window(byte tag, WindowType type, byte flags, int width, ulong first, ulong last)
    {
        const byte ProducedBetweenFixedEnds = 0x0c;
        const int Flags = 3, Numbers = 5;
        descriptors.U8(tag);
        descriptors.U16((ushort)(Flags + (Numbers * width)));
        descriptors.U8((byte)type);
        descriptors.U8(ProducedBetweenFixedEnds);
        descriptors.U8(flags);
        foreach (ulong number in (ulong[])[0, first, last, 0, last - first + 1]) // granularity, ends, offset, length
        {
            for (int i = 0; i < width; i++)
                descriptors.U8((byte)(number >> (8 * i)));
        }
    }

    private enum WindowType : byte
    {
        Memory,
        Io,
        Bus,
    }
}
