using System.Buffers.Binary;
using System.Runtime.Intrinsics.X86;
using System.Text;
using Iced.Intel;
using MiniVmm.Boot;
using MiniVmm.Memory;
using static Iced.Intel.AssemblerRegisters;

namespace MiniVmm.Measurement;

/// <summary>How a loop is put together.</summary>
public enum LoopForm
{
    /// <summary>The body alone: what a turn takes is seen by the host.</summary>
    Plain,

    /// <summary>RDTSC before and after the body, and the difference stored.</summary>
    Timed,
}

/// <summary>
/// The guest of <c>minivmm bench exits</c>: one image from guest address 0 on with GDT, IDT, page tables and every
/// loop, in long mode. Loops start with the turns in edi and the samples' address in rsi; they end with an OUT to
/// <see cref="BenchPorts.End"/>. The C twin runs the same image: the page at <see cref="HeaderAddress"/> tells it where
/// things are.
/// </summary>
public sealed class ExitGuest
{
    /// <summary>The table of contents, one page.</summary>
    public const int HeaderAddress = 0x1000;
    public const uint Version = 1;
    public const ulong IdtAddress = 0x2000;
    public const int IdtLimit = (256 * 16) - 1;
    public const ulong FlagAddress = 0x3000;
    public const ulong StringAddress = 0x3100;
    public const ulong SecondStackTop = 0x5000;
    public const ulong CodeAddress = 0x1_0000;

    /// <summary>Samples of timed loops, 32 bits each, in ticks of the time stamp counter.</summary>
    public const ulong SamplesAddress = 2 * MemoryLayout.MiB;
    public const ulong RamSize = 16 * MemoryLayout.MiB;

    /// <summary>Most turns of one run.</summary>
    public const int MostTurns = (int)((RamSize - SamplesAddress) / sizeof(uint));

    /// <summary>Vector of the irqfd's message.</summary>
    public const byte InterruptVector = 0x40;

    /// <summary>Vector of the interprocessor interrupt.</summary>
    public const byte IpiVector = 0x41;

    private const int NameLength = 20;

    // x2APIC registers (SDM vol. 3, 11.12.1.2).
    private const uint ApicBase = 0x1b;
    private const uint ApicBaseEnableX2Apic = 0xfee0_0c00;
    private const uint BootProcessor = 0x100;
    private const uint Eoi = 0x80b;
    private const uint SpuriousVector = 0x80f;
    private const uint InterruptCommand = 0x830;

    private readonly Dictionary<(string Name, LoopForm Form), ulong> _entries = [];
    private readonly byte[] _image;

    /// <summary>Assembles the loops.</summary>
    public ExitGuest()
    {
        Assembler assembler = new(64);
        Dictionary<(string, LoopForm), Label> labels = [];
        foreach (ExitLoop loop in ExitLoop.All.Append(ExitLoop.Nothing))
        {
            if (loop.Body is not { } body)
                continue;
            labels.Add((loop.Name, LoopForm.Plain), Plain(assembler, body));
            labels.Add((loop.Name, LoopForm.Timed), Timed(assembler, body));
        }

        labels.Add(("hlt-irqfd", LoopForm.Plain), Halt(assembler, out Label woken));
        labels.Add(("ipi", LoopForm.Timed), SendIpis(assembler));
        labels.Add(("ipi-receiver", LoopForm.Plain), ReceiveIpis(assembler, out Label interrupted));
        labels.Add(("kick", LoopForm.Plain), Busy(assembler));

        using MemoryStream code = new();
        AssemblerResult result =
            assembler.Assemble(
                new StreamCodeWriter(code), CodeAddress, BlockEncoderOptions.ReturnNewInstructionOffsets);
        _image = new byte[(int)CodeAddress + code.Length];
        code.ToArray().CopyTo(_image, (int)CodeAddress);
        foreach (((string, LoopForm) key, Label label) in labels)
            _entries.Add(key, result.GetLabelRIP(label));

        Place(FlatGdt.Build(EntryMode.Long64));
        Place(LongModeTables.Build());
        OpenToRing3();
        SetGate(InterruptVector, result.GetLabelRIP(woken));
        SetGate(IpiVector, result.GetLabelRIP(interrupted));
        WriteHeader();
    }

    /// <summary>The bytes, for guest address 0 on.</summary>
    public ReadOnlyMemory<byte> Image => _image;

    /// <summary>Where a loop starts; null where it has no such form.</summary>
    public ulong? Entry(string name, LoopForm form) =>
        _entries.TryGetValue((name, form), out ulong address) ? address : null;

    /// <summary>The processor state that every loop starts in; one of ring 3 differs in its segments alone.</summary>
    internal static EntryState State(ulong entry) =>
        new(EntryMode.Long64, entry) { PageTable = MemoryLayout.PageTables };

    /// <summary>The maker's own instruction: KVM would have to rewrite the other one at its first use.</summary>
    internal static void Hypercall(Assembler c)
    {
        // "AuthenticAMD" and "HygonGenuine" in EBX.
        if (X86Base.CpuId(0, 0).Ebx is 0x6874_7541 or 0x6f67_7948)
            c.vmmcall();
        else
            c.vmcall();
    }

    private static Label Start(Assembler c)
    {
        Label start = c.CreateLabel();
        c.Label(ref start);
        c.mov(r11, rsi);
        c.mov(r9d, (uint)StringAddress);
        c.mov(r10d, unchecked((uint)BenchMmio.Base));
        c.mov(r12d, (uint)FlagAddress);
        return start;
    }

    private static void End(Assembler c)
    {
        Label dead = c.CreateLabel();
        c.@out(BenchPorts.End, al);
        c.Label(ref dead);
        c.jmp(dead);
    }

    private static Label Plain(Assembler c, Action<Assembler> body)
    {
        Label start = Start(c);
        Label turn = c.CreateLabel();
        c.Label(ref turn);
        body(c);
        c.dec(edi);
        c.jnz(turn);
        End(c);
        return start;
    }

    private static Label Timed(Assembler c, Action<Assembler> body)
    {
        Label start = Start(c);
        Label turn = c.CreateLabel();
        c.Label(ref turn);
        c.rdtsc();
        c.mov(r8d, eax);
        body(c);
        Store(c, turn);
        return start;
    }

    private static void Store(Assembler c, Label turn)
    {
        c.rdtsc();
        c.sub(eax, r8d);
        c.mov(__dword_ptr[r11], eax);
        c.add(r11, sizeof(uint));
        c.dec(edi);
        c.jnz(turn);
        End(c);
    }

    private static void EnableX2Apic(Assembler c, bool boot)
    {
        c.mov(ecx, ApicBase);
        c.mov(eax, ApicBaseEnableX2Apic | (boot ? BootProcessor : 0));
        c.xor(edx, edx);
        c.wrmsr();
        c.mov(ecx, SpuriousVector);
        c.mov(eax, 0x1ff); // enabled; spurious vector 0xff
        c.wrmsr();
    }

    private static void EndInterrupt(Assembler c)
    {
        c.mov(ecx, Eoi);
        c.xor(eax, eax);
        c.xor(edx, edx);
        c.wrmsr();
    }

    /// <summary>
    /// Halts and is woken, each time. The handler never returns: it is the rest of the loop, which spares the IRET.
    /// </summary>
    private static Label Halt(Assembler c, out Label woken)
    {
        Label start = Start(c);
        Label turn = c.CreateLabel();
        woken = c.CreateLabel();
        EnableX2Apic(c, boot: true);
        c.Label(ref turn);
        c.sti();
        c.hlt();
        c.jmp(turn);

        c.Label(ref woken);
        c.@out(BenchPorts.Data, al);
        c.mov(esp, (uint)MemoryLayout.BootStackTop);
        EndInterrupt(c);
        c.dec(edi);
        c.jnz(turn);
        End(c);
        return start;
    }

    private static Label SendIpis(Assembler c)
    {
        Label start = Start(c);
        Label turn = c.CreateLabel();
        Label wait = c.CreateLabel();
        EnableX2Apic(c, boot: true);
        c.mov(ecx, InterruptCommand);
        c.Label(ref turn);
        c.mov(__dword_ptr[r12], 0);
        c.rdtsc();
        c.mov(r8d, eax);
        c.mov(eax, IpiVector);
        c.mov(edx, 1); // the second vCPU's APIC id
        c.wrmsr();
        c.Label(ref wait);
        c.cmp(__dword_ptr[r12], 0);
        c.je(wait);
        Store(c, turn);
        return start;
    }

    private static Label ReceiveIpis(Assembler c, out Label interrupted)
    {
        Label start = Start(c);
        Label turn = c.CreateLabel();
        interrupted = c.CreateLabel();
        EnableX2Apic(c, boot: false);
        EndInterrupt(c); // the run before may have been stopped between its answer and this
        c.mov(__dword_ptr[r12], 1); // the first answer: ready
        c.Label(ref turn);
        c.sti();
        c.hlt();
        c.jmp(turn);

        c.Label(ref interrupted);
        c.mov(__dword_ptr[r12], 1);
        c.mov(esp, (uint)SecondStackTop);
        EndInterrupt(c);
        c.jmp(turn);
        return start;
    }

    /// <summary>Counts at the flag, which shows that it runs, until it is stopped from outside.</summary>
    private static Label Busy(Assembler c)
    {
        Label start = Start(c);
        Label turn = c.CreateLabel();
        c.Label(ref turn);
        c.inc(__dword_ptr[r12]);
        c.jmp(turn);
        return start;
    }

    /// <summary>Lets ring 3 use every page: there is nothing to protect.</summary>
    private void OpenToRing3()
    {
        const byte user = 1 << 2;
        const byte present = 1;
        for (int entry = (int)MemoryLayout.PageTables; entry < (int)MemoryLayout.PageTablesEnd; entry += sizeof(ulong))
        {
            if ((_image[entry] & present) != 0)
                _image[entry] |= user;
        }
    }

    private void Place(LoadSegment segment) => segment.Data.Span.CopyTo(_image.AsSpan((int)segment.Address));

    /// <summary>A 64-bit interrupt gate (SDM vol. 3, 6.14.1).</summary>
    private void SetGate(byte vector, ulong handler)
    {
        Span<byte> gate = _image.AsSpan((int)IdtAddress + (vector * 16), 16);
        const ulong presentInterruptGate = 0x8e00UL << 32;
        BinaryPrimitives.WriteUInt64LittleEndian(
            gate,
            (handler & 0xffff) | ((ulong)FlatGdt.CodeSelector << 16) | presentInterruptGate
                | ((handler >> 16 & 0xffff) << 48));
        BinaryPrimitives.WriteUInt64LittleEndian(gate[8..], handler >> 32);
    }

    /// <summary>
    /// "MVMEXITS", version and number of rows as u32; GDT, its limit, IDT, its limit, CR3, stack, samples, size of RAM,
    /// device window as u64; then rows of 32 bytes: the loop's name (20, NUL-padded), its ring, its entries plain and
    /// timed (u32 each, 0 for none).
    /// </summary>
    private void WriteHeader()
    {
        string[] names = [.. _entries.Keys.Select(key => key.Name).Distinct()];
        Span<byte> header = _image.AsSpan(HeaderAddress, 4096);
        "MVMEXITS"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], (uint)names.Length);
        ulong[] fields =
        [
            MemoryLayout.BootGdt, FlatGdt.Size - 1, IdtAddress, IdtLimit, MemoryLayout.PageTables,
            MemoryLayout.BootStackTop, SamplesAddress, RamSize, BenchMmio.Base,
        ];
        for (int i = 0; i < fields.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(header[(16 + (i * 8))..], fields[i]);
        Span<byte> rows = header[(16 + (fields.Length * 8))..];
        for (int i = 0; i < names.Length; i++)
        {
            Span<byte> row = rows[(i * 32)..];
            Encoding.ASCII.GetBytes(names[i], row[..NameLength]);
            int ring = ExitLoop.All.FirstOrDefault(loop => loop.Name == names[i])?.Ring ?? 0;
            BinaryPrimitives.WriteUInt32LittleEndian(row[NameLength..], (uint)ring);
            BinaryPrimitives.WriteUInt32LittleEndian(row[24..], (uint)(Entry(names[i], LoopForm.Plain) ?? 0));
            BinaryPrimitives.WriteUInt32LittleEndian(row[28..], (uint)(Entry(names[i], LoopForm.Timed) ?? 0));
        }
    }
}
