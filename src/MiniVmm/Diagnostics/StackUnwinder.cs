using MiniVmm.Inspection;
using MiniVmm.Kvm;

namespace MiniVmm.Diagnostics;

/// <summary>
/// The calls that led to RIP: by frame pointers as far as they go, and beyond them by words that look like return addresses,
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
        ref readonly kvm_regs regs = ref view.Regs;
        ulong top = Linear(regs.rsp);
        ulong frame = Linear(regs.rbp);
        ulong scanned = top;
        while (frames.Count < MostFrames && frame >= scanned && frame - scanned <= LongestFrame
            && view.ReadValue(frame, Word) is { } caller && view.ReadValue(frame + (ulong)Word, Word) is { } back && IsReturn(back))
        {
            frames.Add(new(back, false));
            scanned = frame + (ulong)(2 * Word);
            frame = Linear(caller);
        }

        Scan(frames, scanned);
        return frames;
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
        if (address < 16 || kernel?.Symbols is { } symbols && symbols.LinkAddress(address, Physical(address)) is null)
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
