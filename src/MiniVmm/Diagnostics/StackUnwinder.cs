using MiniVmm.Inspection;
using MiniVmm.Kvm;

namespace MiniVmm.Diagnostics;

/// <summary>
/// The calls that led to RIP: by the file's call frame information and by frame pointers as far as they go, and beyond them by words that look like return addresses,
/// as kernels' own oopses do it.
/// </summary>
/// <param name="view">The vCPU.</param>
/// <param name="kernel">What is known of the kernel's code.</param>
internal sealed class StackUnwinder(GuestView view, KernelImage? kernel)
{
    private const int MostFrames = 24;
    private const int MostGuesses = 8;
    private const int Scanned = 256; // words
    private const ulong LongestFrame = 64 << 10;

    private int Word => view.Is64Bit ? 8 : view.CodeBits == 32 ? 4 : 2;

    /// <summary>The innermost first.</summary>
    public IReadOnlyList<StackFrame> Unwind()
    {
        List<StackFrame> frames = [new(view.Rip, false)];
        ulong top = ByFrameInformation(frames, out ulong frame);
        ulong scanned = top;
        while (frames.Count < MostFrames && frame >= scanned && frame - scanned <= LongestFrame
            && view.ReadValue(frame, Word) is { } caller && view.ReadValue(frame + (ulong)Word, Word) is { } back && IsReturn(back))
        {
            frames.Add(new(back, false));
            scanned = frame + (ulong)(2 * Word);
            frame = Linear(caller);
        }

        if (frames.Count < MostFrames)
            Scan(frames, scanned);
        return frames;
    }

    /// <summary>By the call frame information of the kernel's file, as far as that goes.</summary>
    /// <param name="frames">Gets the calls.</param>
    /// <param name="frame">The frame pointer of the last one.</param>
    /// <returns>The stack's top there.</returns>
    private ulong ByFrameInformation(List<StackFrame> frames, out ulong frame)
    {
        ulong?[] registers = Registers();
        int stack = Word == 8 ? 7 : 4;
        int pointer = Word == 8 ? 6 : 5;
        ulong at = view.Rip;

        // Where RIP is nowhere, a call has just led there, and pushed where it was.
        if (Physical(at) is null or 0 && view.ReadValue(Linear(view.Regs.rsp), Word) is { } called && IsReturn(called))
        {
            frames.Add(new(called, false));
            registers[stack] += (ulong)Word;
            at = called - 1;
        }

        while (frames.Count < MostFrames && kernel?.Symbols?.Frame(at, Physical(at)) is { } row
            && row.CfaRegister < (ulong)registers.Length && registers[row.CfaRegister] is { } start
            && row.Saved.TryGetValue(row.ReturnRegister, out long back))
        {
            ulong cfa = start + (ulong)row.CfaOffset;
            if (view.ReadValue(Linear(cfa + (ulong)back), Word) is not { } caller || caller == 0 || cfa <= registers[stack])
                break;
            foreach ((ulong register, long offset) in row.Saved)
            {
                if (register < (ulong)registers.Length)
                    registers[register] = view.ReadValue(Linear(cfa + (ulong)offset), Word);
            }

            registers[stack] = cfa;
            frames.Add(new(caller, false));
            at = caller - 1; // the call, whose row is meant
        }

        frame = Linear(registers[pointer] ?? 0);
        return Linear(registers[stack] ?? view.Regs.rsp);
    }

    /// <summary>By DWARF's numbers (psABI x86-64, figure 3.36; i386, table 2.14).</summary>
    private ulong?[] Registers()
    {
        ref readonly kvm_regs r = ref view.Regs;
        return Word == 8
            ? [r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15]
            : [r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi];
    }

    private void Scan(List<StackFrame> frames, ulong at)
    {
        int guesses = 0;
        for (int i = 0; i < Scanned && guesses < MostGuesses; i++, at += (ulong)Word)
        {
            if (view.ReadValue(at, Word) is not { } value)
                return;
            if (!IsReturn(value))
                continue;
            frames.Add(new(value, true));
            guesses++;
        }
    }

    private ulong Linear(ulong offset) => view.Linear(view.Sregs.ss, Word switch
    {
        8 => offset,
        4 => offset & uint.MaxValue,
        _ => offset & 0xffff,
    });

    /// <summary>Whether a call ends before an address: E8 with a displacement, or FF /2 in its lengths (SDM vol. 2, CALL).</summary>
    private bool IsReturn(ulong address)
    {
        if (address < 16 || kernel?.Symbols is { IsWhole: true } symbols && symbols.LinkAddress(address, Physical(address)) is null)
            return false;
        ReadOnlySpan<byte> before = view.Read(address - 7, 7);
        if (before.Length < 7)
            return false;
        if (before[2] == 0xe8)
            return true;
        for (int i = 0; i <= 5; i++)
        {
            if (before[i] == 0xff && (before[i + 1] >> 3 & 7) == 2)
                return true;
        }

        return false;
    }

    private ulong? Physical(ulong linear) => view.Walk(linear) is { End: PageWalkEnd.Mapped } walk ? walk.Physical : null;
}
