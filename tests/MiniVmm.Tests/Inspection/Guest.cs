using MiniVmm.Inspection;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Inspection;

/// <summary>
/// A guest on paper: 4 MiB of RAM with a GDT at 0x1000, an IDT at 0x2000, a TSS at 0x3000, code at 0x10000, a stack below
/// 0x20000, and page tables from 0x100000 on that map these and nothing else.
/// </summary>
internal sealed unsafe class Guest : IDisposable
{
    public const ulong Gdt = 0x1000;
    public const ulong Idt = 0x2000;
    public const ulong Tss = 0x3000;
    public const ulong Code = 0x10000;
    public const ulong Stack = 0x20000;
    public const ulong Unmapped = 0x50000;
    public const ulong Tables = 0x10_0000;
    public const ulong Size = 4 << 20;

    private readonly RamBacking _backing = RamBacking.Allocate(new(Size), Size);

    public Guest(params ReadOnlySpan<byte> code)
    {
        Memory = new GuestMemory([new(new(0, Size), _backing.Address)]);
        Regs.rip = Code;
        Regs.rsp = Stack;
        Regs.rflags = 2;
        Sregs.cr0 = 0x8001_0011;
        Sregs.cr4 = 0x20;
        Sregs.efer = 0x500;
        Sregs.cr3 = Tables;
        Sregs.cs = new() { selector = 0x18, limit = uint.MaxValue, type = 11, present = 1, s = 1, l = 1, g = 1 };
        Sregs.ss = new() { selector = 0x10, limit = uint.MaxValue, type = 3, present = 1, s = 1, db = 1, g = 1 };
        Sregs.ds = Sregs.es = Sregs.fs = Sregs.gs = Sregs.ss;
        Sregs.gdt = new() { @base = Gdt, limit = 0x3f };
        Sregs.idt = new() { @base = Idt, limit = 0xfff };
        Sregs.tr = new() { selector = 0x30, @base = Tss, limit = 0x67, type = 11, present = 1 };
        Put(Gdt + 0x08, 0x00cf9b000000ffffUL);
        Put(Gdt + 0x10, 0x00cf93000000ffffUL);
        Put(Gdt + 0x18, 0x00af9b000000ffffUL);
        Put(Tss + 36, Stack - 0x1000);
        Put(Tables, Tables + 0x1003);
        Put(Tables + 0x1000, Tables + 0x2003);
        Put(Tables + 0x2000, Tables + 0x3003);
        Map(Gdt, Gdt | 3);
        Map(Idt, Idt | 3);
        Map(Tss, Tss | 3);
        Map(Code, Code | 3);
        for (ulong page = Stack - 0x4000; page < Stack; page += 0x1000)
            Map(page, page | 3);
        Write(Code, code);
    }

    public kvm_regs Regs;
    public kvm_sregs Sregs;

    public GuestMemory Memory { get; }

    public GuestView View => new(Regs, Sregs, Memory);

    /// <summary>Sets the entry of a page of the first 2 MiB.</summary>
    public void Map(ulong page, ulong entry) => Put(Tables + 0x3000 + page / 0x1000 * 8, entry);

    public void Put(ulong address, ulong value) => Assert.True(Memory.TryWrite(address, value));

    public void Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        Assert.True(Memory.TryGetSpan(address, bytes.Length, out Span<byte> span));
        bytes.CopyTo(span);
    }

    /// <summary>Sets a 16-byte gate.</summary>
    public void Gate(byte vector, ulong offset, ushort selector = 0x18, byte type = 0x8e, byte ist = 0)
    {
        Put(Idt + vector * 16u, offset & 0xffff | (ulong)selector << 16 | (ulong)ist << 32 | (ulong)type << 40 | (offset >> 16 & 0xffff) << 48);
        Put(Idt + vector * 16u + 8, offset >> 32);
    }

    public void Dispose() => _backing.Dispose();
}
