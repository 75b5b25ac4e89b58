using System.Buffers.Binary;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// The GDT that kernels are entered with: base 0, limit 4 GiB (SDM vol. 3, 3.4.5 "Segment Descriptors"). The selectors
/// are Linux's __BOOT_CS and __BOOT_DS, which PVH kernels get too. The multiboot specification leaves them open; there
/// they are QEMU's, since kernels that reload only some of the registers were tested with those.
/// </summary>
internal static class FlatGdt
{
    /// <summary>Selector of the code segment: 32-bit (D) or 64-bit (L) by entry mode.</summary>
    public const ushort CodeSelector = 0x10;

    /// <summary>Selector of the writable data segment.</summary>
    public const ushort DataSelector = 0x18;

    /// <summary>Bytes of the table: two unused descriptors, code, data.</summary>
    public const int Size = 4 * sizeof(ulong);

    /// <summary>A multiboot kernel's selector of the 32-bit code segment.</summary>
    public const ushort MultibootCodeSelector = 0x08;

    /// <summary>A multiboot kernel's selector of the writable data segment.</summary>
    public const ushort MultibootDataSelector = 0x10;

    /// <summary>Bytes of a multiboot kernel's table, which ends in QEMU's 16-bit segments.</summary>
    public const int MultibootSize = 5 * sizeof(ulong);

    // For a return to real mode: limit 64 KiB, the code segment conforming.
    private const ushort Multiboot16BitCodeSelector = 0x18;
    private const ushort Multiboot16BitDataSelector = 0x20;
    private const ulong Code16 = 0x0000_9f00_0000_ffff;
    private const ulong Data16 = 0x0000_9300_0000_ffff;

    private const string Name = "boot GDT";

    /// <summary>A Limine executable's selector of the 64-bit code segment.</summary>
    public const ushort LimineCodeSelector = 0x28;

    /// <summary>A Limine executable's selector of the data segment.</summary>
    public const ushort LimineDataSelector = 0x30;

    /// <summary>Bytes of a Limine executable's table: none, then code and data of 16, 32 and 64 bits.</summary>
    public const int LimineSize = 7 * sizeof(ulong);

    /// <summary>What the plan calls it.</summary>
    public const string LimineName = "Limine GDT";

    // G, D/B or L, limit 0xfffff; present, DPL 0, accessed. The accessed bit is set as loading a selector would.
    private const ulong Code32 = 0x00cf_9b00_0000_ffff;
    private const ulong Code64 = 0x00af_9b00_0000_ffff;
    private const ulong Data = 0x00cf_9300_0000_ffff;

    /// <summary>The table for Linux and PVH kernels.</summary>
    public static LoadSegment Build(EntryMode mode, ulong address = MemoryLayout.BootGdt)
    {
        byte[] table = new byte[Size];
        ulong code = mode == EntryMode.Long64 ? Code64 : Code32;
        Put(table, CodeSelector, code);
        Put(table, DataSelector, Data);
        return new(Name, address, table);
    }

    /// <summary>The table for multiboot kernels.</summary>
    public static LoadSegment BuildMultiboot(ulong address = MemoryLayout.BootGdt)
    {
        byte[] table = new byte[MultibootSize];
        Put(table, MultibootCodeSelector, Code32);
        Put(table, MultibootDataSelector, Data);
        Put(table, Multiboot16BitCodeSelector, Code16);
        Put(table, Multiboot16BitDataSelector, Data16);
        return new(Name, address, table);
    }

    /// <summary>The table for Limine executables (Limine boot protocol, "Machine State at Entry").</summary>
    public static LoadSegment BuildLimine(ulong address)
    {
        const ulong code16 = 0x0000_9b00_0000_ffff;
        byte[] table = new byte[LimineSize];
        ulong[] descriptors = [0, code16, Data16, Code32, Data, Code64, Data];
        for (int i = 0; i < descriptors.Length; i++)
            Put(table, (ushort)(i * sizeof(ulong)), descriptors[i]);
        return new(LimineName, address, table);
    }

    private static void Put(byte[] table, ushort selector, ulong descriptor) =>
        BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(selector), descriptor);
}
