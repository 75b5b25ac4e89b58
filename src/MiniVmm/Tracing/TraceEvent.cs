using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MiniVmm.Tracing;

/// <summary>What a <see cref="TraceEvent"/> tells.</summary>
internal enum TraceEventKind : byte
{
    /// <summary>KVM_EXIT_IO, the guest reads.</summary>
    PortRead,
    PortWrite,

    /// <summary>KVM_EXIT_MMIO, the guest reads.</summary>
    MemoryRead,
    MemoryWrite,

    /// <summary>Any other exit.</summary>
    Exit,

    /// <summary>KVM_RUN returned EINTR: nothing of the guest's.</summary>
    Kick,

    /// <summary>Code bytes around a RIP, for the exits behind it in the same ring.</summary>
    Code,

    /// <summary>A device raised an interrupt line, or sent a message.</summary>
    Interrupt,

    /// <summary>A device's thread sees that a queue's doorbell was rung.</summary>
    Doorbell,

    /// <summary>A device has done a request.</summary>
    Request,
}

/// <summary>
/// One event as a thread leaves it in its <see cref="TraceRing"/>: 64 bytes without a reference, so that writing one is a few
/// stores. Which members mean something depends on <see cref="Kind"/>. Times are <see cref="System.Diagnostics.Stopwatch"/> ticks.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal struct TraceEvent
{
    /// <summary>Most code bytes of a <see cref="TraceEventKind.Code"/>: half of them before the RIP.</summary>
    public const int CodeBytes = 32;

    /// <summary><see cref="Slot"/> of an exit without code.</summary>
    public const ushort NoSlot = ushort.MaxValue;

    [FieldOffset(0)] public TraceEventKind Kind;

    /// <summary>Bytes an item of an access; 16, 32 or 64 for code.</summary>
    [FieldOffset(1)] public byte Size;

    /// <summary>Where the reader keeps an exit's code; <see cref="NoSlot"/> for nowhere.</summary>
    [FieldOffset(2)] public ushort Slot;

    /// <summary>KVM_EXIT_* of an exit; a request's operation; of code the bytes that there are before and, times 256, after RIP.</summary>
    [FieldOffset(4)] public uint Reason;

    /// <summary>Items of an access; a device's number; an interrupt's line.</summary>
    [FieldOffset(8)] public uint Count;

    /// <summary>Queue of a request or doorbell; what a line was set to: 0, 1, or 2 for an edge, 3 for a message.</summary>
    [FieldOffset(12)] public uint Detail;

    /// <summary>Port, guest-physical address, MSR; first sector of a request; linear address of code.</summary>
    [FieldOffset(16)] public ulong Address;

    /// <summary>An access' first item; bytes of a request; physical address of code, all ones where there is none.</summary>
    [FieldOffset(24)] public ulong Value;

    /// <summary>Linear address of the instruction, as KVM tells it at the exit: it may have advanced already.</summary>
    [FieldOffset(32)] public ulong Rip;

    /// <summary>When KVM_RUN was called; when a request was taken.</summary>
    [FieldOffset(40)] public long Entered;

    /// <summary>When KVM_RUN returned.</summary>
    [FieldOffset(48)] public long Exited;

    /// <summary>When the exit or request was done, or the event took place.</summary>
    [FieldOffset(56)] public long Served;

    [FieldOffset(32)] private CodeBuffer _code;

    /// <summary>The bytes of <see cref="TraceEventKind.Code"/>.</summary>
    [UnscopedRef]
    public Span<byte> Code => _code;

    [InlineArray(CodeBytes)]
    private struct CodeBuffer
    {
        private byte _first;
    }
}
