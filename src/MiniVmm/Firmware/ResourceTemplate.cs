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

    /// <summary>The descriptors and the end tag, whose checksum 0 stands for none (6.4.2.9).</summary>
    internal byte[] ToArray() => [.. descriptors.Written, 0x79, 0];
}
