using System.Globalization;
using System.Text;
using Iced.Intel;
using MiniVmm.Inspection;
using MiniVmm.Kvm;

namespace MiniVmm.Diagnostics;

/// <summary>The sections of a post-mortem: what a vCPU's registers, memory and tables hold, for people. Pure.</summary>
/// <param name="text">Where it is written.</param>
/// <param name="view">The vCPU.</param>
/// <param name="kernel">Names of addresses; null for none.</param>
internal sealed class PostMortemText(StringBuilder text, GuestView view, KernelImage? kernel)
{
    private const int CodeBytes = 48;
    private const int Instructions = 6;
    private const int MostGates = 4;
    private const int MostSegments = 12;

    /// <summary>An address with its name, as in "0x100123 main+0x3 (kernel/main.c:41)".</summary>
    public string Place(ulong linear) =>
        kernel?.Symbols?.Describe(linear, Physical(linear)) is { } name ? $"0x{linear:x} {name}" : $"0x{linear:x}";

    /// <summary>Where RIP is; and where it came from, if there is no source line for it.</summary>
    /// <param name="before">The instruction before, where it is known.</param>
    public void Where(ulong? before)
    {
        Line($"  at: {Place(view.Rip)}");
        if (kernel?.Symbols is not { } symbols || symbols.Line(view.Rip, Physical(view.Rip)) is not null)
            return;
        if (before is { } from && symbols.Line(from, Physical(from)) is not null)
        {
            Line($"  came from: {Place(from)}");
            return;
        }

        foreach (StackFrame frame in new StackUnwinder(view, kernel).Unwind().Skip(1))
        {
            // A return address is behind its call.
            if (symbols.Line(frame.Address - 1, Physical(frame.Address - 1)) is null)
                continue;
            Line($"  called from: {Place(frame.Address - 1)}{(frame.IsGuess ? ", by the stack" : "")}");
            return;
        }
    }

    /// <summary>The mode in words.</summary>
    public void Mode() => Line($"  {ProcessorMode.Describe(view)}");

    public void Registers()
    {
        ref readonly kvm_regs r = ref view.Regs;
        ref readonly kvm_sregs s = ref view.Sregs;
        Row(("rax", r.rax), ("rbx", r.rbx), ("rcx", r.rcx), ("rdx", r.rdx));
        Row(("rsi", r.rsi), ("rdi", r.rdi), ("rbp", r.rbp), ("rsp", r.rsp));
        if (view.IsLongMode)
        {
            Row(("r8", r.r8), ("r9", r.r9), ("r10", r.r10), ("r11", r.r11));
            Row(("r12", r.r12), ("r13", r.r13), ("r14", r.r14), ("r15", r.r15));
        }

        Row(("rip", r.rip), ("cr2", s.cr2), ("cr3", s.cr3));
        Line($"  cr0    {s.cr0:x16} {ControlBits.NameCr0(s.cr0)}");
        Line($"  cr4    {s.cr4:x16} {ControlBits.NameCr4(s.cr4)}");
        Line($"  efer   {s.efer:x16} {ControlBits.NameEfer(s.efer)}");
        Line($"  rflags {r.rflags:x16} {ControlBits.NameRflags(r.rflags)}");
        Line($"  cs {s.cs.selector:x4} base {s.cs.@base:x} limit {s.cs.limit:x}, ss {s.ss.selector:x4} base {s.ss.@base:x}, "
            + $"ds {s.ds.selector:x4}, es {s.es.selector:x4}, fs base {s.fs.@base:x}, gs base {s.gs.@base:x}");
        Line($"  gdt {s.gdt.@base:x} limit {s.gdt.limit:x}, idt {s.idt.@base:x} limit {s.idt.limit:x}, "
            + $"tr {s.tr.selector:x4} base {s.tr.@base:x} limit {s.tr.limit:x}");
    }

    public void Code()
    {
        byte[] code = view.Read(view.Rip, CodeBytes);
        if (code.Length == 0)
        {
            Line("  code at rip: not mapped");
            return;
        }

        Line($"  code at rip: {Place(view.Rip)}");
        Iced.Intel.Decoder decoder = Iced.Intel.Decoder.Create(view.CodeBits, new ByteArrayCodeReader(code), view.Regs.rip);
        FastFormatter formatter = new();
        FastStringOutput output = new();
        for (int i = 0; i < Instructions; i++)
        {
            int offset = (int)(decoder.IP - view.Regs.rip);
            Instruction instruction = decoder.Decode();
            if (decoder.LastError == DecoderError.NoMoreBytes)
                break;
            output.Clear();
            formatter.Format(instruction, output);
            string bytes = Convert.ToHexStringLower(code.AsSpan(offset, instruction.Length));
            Line($"  {(i == 0 ? '>' : ' ')} {instruction.IP:x16}  {bytes,-22}  {output}");
        }
    }

    /// <summary>The way of an address through the page tables, where paging is on.</summary>
    public void Walk(string name, ulong linear)
    {
        if (view.Paging.Mode == PagingMode.None)
            return;
        PageWalk walk = view.Walk(linear);
        Line($"  page walk of {name} 0x{linear:x}, from cr3 0x{view.Sregs.cr3:x}:");
        for (int i = 0; i < walk.Count; i++)
        {
            PageEntry entry = walk[i];
            Line($"    {entry.Name,-5} at 0x{entry.Address:x} = {entry.Value:x16}: {entry.Flags(walk.Mode)}");
        }

        Line($"    {Outcome(walk)}");
    }

    /// <summary>The descriptor tables: the gates of the exceptions that matter, and the first segments.</summary>
    public void Tables(IEnumerable<byte> vectors)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        if (!view.IsProtected)
            return;
        Line($"  idt at 0x{view.Sregs.idt.@base:x}: {DescriptorTables.GateCount(view)} entries");
        foreach (byte vector in vectors.Distinct().Take(MostGates))
        {
            string gate = vector >= DescriptorTables.GateCount(view) ? "past the limit"
                : DescriptorTables.Gate(view, vector) is { } found ? Describe(found)
                : "not mapped";
            Line($"    {vector,3} {ExceptionVector.ShortName(vector)}: {gate}");
        }

        int entries = (view.Sregs.gdt.limit + 1) / 8;
        Line($"  gdt at 0x{view.Sregs.gdt.@base:x}: {entries} entries");
        for (int i = 1; i < Math.Min(entries, MostSegments); i++)
        {
            ushort selector = (ushort)(i * 8);
            if (DescriptorTables.Segment(view, selector) is not { } segment)
            {
                Line($"    {selector:x4} not mapped");
                break;
            }

            if (segment.Low != 0)
                Line($"    {selector:x4} {segment.Describe()}");
            if (segment.IsSystem && view.IsLongMode)
                i++; // it has two places
        }

        ref readonly kvm_segment tr = ref view.Sregs.tr;
        if (DescriptorTables.Segment(view, tr.selector) is { IsTss: true })
            Tss(tr);
    }

    public void Stack()
    {
        IReadOnlyList<StackFrame> frames = new StackUnwinder(view, kernel).Unwind();
        Line($"  stack at 0x{view.Linear(view.Sregs.ss, view.Regs.rsp):x}:");
        for (int i = 0; i < frames.Count; i++)
        {
            // A return address is behind its call, whose line is meant.
            ulong at = frames[i].Address;
            string name = i == 0 || kernel?.Symbols is not { } symbols ? Place(at)
                : $"0x{at:x} {symbols.Name(at, Physical(at))}{(symbols.Line(at - 1, Physical(at - 1)) is { } line ? $" ({line})" : "")}".TrimEnd();
            Line($"    #{i,-2} {(frames[i].IsGuess ? "? " : "")}{name}");
        }
    }

    private void Tss(in kvm_segment tr)
    {
        if (view.IsLongMode)
        {
            string rsp0 = view.ReadValue(tr.@base + 4, 8) is { } first ? $"0x{first:x}" : "not mapped";
            Line($"  tss at 0x{tr.@base:x}: rsp0 {rsp0}, ist 1-7: {string.Join(' ', Enumerable.Range(0, 7).Select(Ist))}");
        }
        else
        {
            string esp0 = view.ReadValue(tr.@base + 4, 4) is { } first ? $"0x{first:x}" : "not mapped";
            Line($"  tss at 0x{tr.@base:x}: ss0:esp0 {view.ReadValue(tr.@base + 8, 2) ?? 0:x4}:{esp0}");
        }
    }

    private string Ist(int index) =>
        view.ReadValue(view.Sregs.tr.@base + 36 + (ulong)(8 * index), 8) is { } stack ? $"{stack:x}" : "-";

    private string Describe(in InterruptGate gate)
    {
        string name = gate.Offset != 0 && kernel?.Symbols?.Name(gate.Offset, Physical(gate.Offset)) is { } known ? $" ({known})" : "";
        return gate.Describe() + name;
    }

    private string Outcome(in PageWalk walk) => walk.End switch
    {
        PageWalkEnd.Mapped => view.Memory.TryGetSpan(walk.Physical, 1, out _)
            ? $"-> physical 0x{walk.Physical:x}"
            : $"-> physical 0x{walk.Physical:x}, which is not RAM",
        PageWalkEnd.NotCanonical => "not canonical",
        PageWalkEnd.NotPresent => "not mapped",
        PageWalkEnd.ReservedBit => $"reserved bits 0x{walk.ReservedBits:x} are set",
        _ => $"the next table, at 0x{walk.Physical:x}, is not in RAM",
    };

    private ulong? Physical(ulong linear) => view.Walk(linear) is { End: PageWalkEnd.Mapped } walk ? walk.Physical : null;

    private void Row(params ReadOnlySpan<(string Name, ulong Value)> registers)
    {
        text.Append(' ');
        foreach ((string name, ulong value) in registers)
            text.Append(CultureInfo.InvariantCulture, $" {name,-6} {value:x16}");
        text.Append('\n');
    }

    private void Line(string line) => text.Append(line).Append('\n');
}
