using System.Runtime.InteropServices;
using Iced.Intel;
using MiniVmm.Assist;
using MiniVmm.Inspection;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Assist;

/// <summary>
/// A vCPU without KVM, with 2 MiB of RAM: 64-bit supervisor code by default, all pages mapped where they are, supervisor and
/// writable.
/// </summary>
internal sealed unsafe class AssistGuest : IExtendedState, IDisposable
{
    public const ulong Code = 0x10000;
    public const ulong Data = 0x20000;
    public const ulong Present = 1, Writable = 2, User = 4, NoExecute = 1UL << 63;
    public const AssistFeatures All = (AssistFeatures)ulong.MaxValue;
    private const ulong Size = 2 << 20;
    private const ulong Root = 0x1000;
    private const ulong Table = 0x4000;
    private readonly byte* _ram = (byte*)NativeMemory.AlignedAlloc((nuint)Size, 4096);

    public AssistGuest()
    {
        NativeMemory.Clear(_ram, (nuint)Size);
        Memory = new GuestMemory([new RamSlot(new(0, Size), (nint)_ram)]);
        Assert.True(Memory.TryWrite(Root, 0x2000 | Present | Writable | User));
        Assert.True(Memory.TryWrite(0x2000, 0x3000 | Present | Writable | User));
        Assert.True(Memory.TryWrite(0x3000, Table | Present | Writable | User));
        for (ulong page = 0; page < 512; page++)
            Map(page << 12, page << 12, Present | Writable);
        Cpu.Features = All;
        Cpu.Sregs.cr0 = ControlBits.Cr0Pe | ControlBits.Cr0Ne | ControlBits.Cr0Wp | ControlBits.Cr0Pg;
        Cpu.Sregs.cr3 = Root;
        Cpu.Sregs.cr4 = ControlBits.Cr4Pae | ControlBits.Cr4Osfxsr | ControlBits.Cr4Osxsave | ControlBits.Cr4Fsgsbase;
        Cpu.Sregs.efer = ControlBits.EferLme | ControlBits.EferLma | ControlBits.EferNxe;
        Cpu.Sregs.cs = new() { limit = uint.MaxValue, type = 11, present = 1, s = 1, l = 1, g = 1 };
        kvm_segment data = new() { limit = uint.MaxValue, type = 3, present = 1, s = 1, db = 1, g = 1 };
        (Cpu.Sregs.ds, Cpu.Sregs.es, Cpu.Sregs.ss, Cpu.Sregs.fs, Cpu.Sregs.gs) = (data, data, data, data, data);
        Cpu.Regs.rflags = 2;
        Cpu.Regs.rsp = Data + 0x8000;
        Assist = new InstructionAssist(Cpu, Memory, this, new XsaveLayout(Leaves));
    }

    /// <summary>AVX and PKRU where all processors have them.</summary>
    private static kvm_cpuid_entry2[] Leaves =>
    [
        new() { function = 0xd, index = 2, eax = 256, ebx = 576 },
        new() { function = 0xd, index = 9, eax = 8, ebx = 2688 },
    ];

    public AssistedCpu Cpu { get; } = new();

    public GuestMemory Memory { get; }

    public InstructionAssist Assist { get; }

    public byte[] XsaveArea { get; } = new byte[4096];

    public bool ImageKept { get; private set; }

    public Dictionary<uint, ulong> Msrs { get; } = [];

    public ulong Xcr0 { get; set; } = 7;

    Span<byte> IExtendedState.Image => XsaveArea;

    void IExtendedState.KeepImage() => ImageKept = true;

    bool IExtendedState.TryReadMsr(uint index, out ulong value) => Msrs.TryGetValue(index, out value);

    bool IExtendedState.TryWriteMsr(uint index, ulong value)
    {
        Msrs[index] = value;
        return true;
    }

    public void Dispose() => NativeMemory.AlignedFree(_ram);

    /// <summary>Has a page of the first 2 MiB lie elsewhere, or nowhere.</summary>
    public void Map(ulong linear, ulong physical, ulong flags) =>
        Assert.True(Memory.TryWrite(Table + (linear >> 12) * 8, physical | flags));

    public ulong EntryOf(ulong linear)
    {
        Assert.True(Memory.TryRead(Table + (linear >> 12) * 8, out ulong entry));
        return entry;
    }

    /// <summary>Turns the guest into 32-bit code without paging, with flat segments.</summary>
    public void EnterProtectedMode()
    {
        Cpu.Sregs.cr0 &= ~ControlBits.Cr0Pg;
        Cpu.Sregs.efer = 0;
        Cpu.Sregs.cs.l = 0;
        Cpu.Sregs.cs.db = 1;
    }

    public void EnterRealMode()
    {
        EnterProtectedMode();
        Cpu.Sregs.cr0 &= ~ControlBits.Cr0Pe;
        Cpu.Sregs.cs = new() { @base = Code, selector = (ushort)(Code >> 4), limit = 0xffff };
        kvm_segment data = new() { @base = Data, selector = (ushort)(Data >> 4), limit = 0xffff };
        (Cpu.Sregs.ds, Cpu.Sregs.es, Cpu.Sregs.ss) = (data, data, data);
    }

    /// <summary>Executes code that lies at RIP.</summary>
    public AssistOutcome Execute(params ReadOnlySpan<byte> code)
    {
        Cpu.Regs.rip = Cpu.IsProtected ? Code : 0;
        Assert.True(Memory.TryGetSpan(Code, code.Length, out Span<byte> at));
        code.CopyTo(at);
        return Assist.Execute();
    }

    /// <summary>Executes an instruction of 64-bit code.</summary>
    public AssistOutcome Execute(Action<Assembler> write) => Execute(Assembled(write));

    public static byte[] Assembled(Action<Assembler> write, int bits = 64)
    {
        Assembler assembler = new(bits);
        write(assembler);
        using MemoryStream stream = new();
        assembler.Assemble(new StreamCodeWriter(stream), Code);
        return stream.ToArray();
    }
}
