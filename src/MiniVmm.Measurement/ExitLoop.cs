using Iced.Intel;
using MiniVmm.Memory;
using static Iced.Intel.AssemblerRegisters;

namespace MiniVmm.Measurement;

/// <summary>Who reads the clock around one turn of a loop.</summary>
public enum LoopClock
{
    /// <summary>The host: from one entry into KVM_RUN to the next. Every turn leaves to user space.</summary>
    Host,

    /// <summary>The guest, by RDTSC before and after: the turn is served inside the kernel.</summary>
    Guest,

    /// <summary>A thread beside the vCPU's: from just before what it does to the vCPU's return from KVM_RUN.</summary>
    Partner,

    /// <summary>The host, around KVM_RUN calls that never enter the guest.</summary>
    Call,
}

/// <summary>What else runs while a loop does.</summary>
public enum LoopPartner
{
    None,

    /// <summary>A thread that blocks in read() on the doorbell's eventfd, woken by every ring.</summary>
    Reader,

    /// <summary>A thread that signals the irqfd when the guest has halted.</summary>
    Interrupter,

    /// <summary>A thread that kicks the vCPU when the guest is busy.</summary>
    Kicker,

    /// <summary>A second vCPU, halted, that answers interprocessor interrupts.</summary>
    Processor,
}

/// <summary>
/// One kind of exit: a guest loop that does it over and over. <c>edi</c> counts the turns, <c>r11</c> points at the
/// next sample, <c>r8d</c> holds the first clock reading; a body may use eax, ebx, ecx, edx and esi freely, and finds
/// <c>r9</c> at some bytes, <c>r10</c> at an address without RAM, <c>r12</c> at the flag.
/// </summary>
/// <param name="Name">As <c>--only</c> takes it.</param>
/// <param name="Description">What happens, in a few words.</param>
/// <param name="Clock">Who measures.</param>
public sealed record ExitLoop(string Name, string Description, LoopClock Clock)
{
    /// <summary>No loop at all: KVM_RUN with immediate_exit set, the floor of every exit.</summary>
    public static ExitLoop ImmediateExit { get; } =
        new("immediate-exit", "KVM_RUN told to return at once: the ioctl alone", LoopClock.Call);

    /// <summary>The loops of <c>minivmm bench exits</c>, in the order in which they are explained.</summary>
    public static IReadOnlyList<ExitLoop> All { get; } =
    [
        ImmediateExit,
        new("pio-out", "OUT, served by MiniVmm", LoopClock.Host)
        {
            Body = c => c.@out(BenchPorts.Data, al),
            Counter = new("io_exits", CountsEnd: true),
        },
        new("pio-in", "IN, served by MiniVmm", LoopClock.Host)
        {
            Body = c => c.@in(al, BenchPorts.Data),
            Counter = new("io_exits", CountsEnd: true),
        },
        new("rep-outs", "REP OUTSB of 16 bytes, served by MiniVmm", LoopClock.Host)
        {
            Body = c =>
            {
                c.mov(edx, BenchPorts.Data);
                c.mov(ecx, StringLength);
                c.mov(rsi, r9);
                c.rep.outsb();
            },
            MostExits = StringLength,
        },
        new("mmio-write", "write where no RAM is, served by MiniVmm", LoopClock.Host)
        {
            Body = c => c.mov(__dword_ptr[r10], eax),
            Counter = new("mmio_exits"),
        },
        new("mmio-read", "read where no RAM is, served by MiniVmm", LoopClock.Host)
        {
            Body = c => c.mov(eax, __dword_ptr[r10]),
            Counter = new("mmio_exits"),
        },
        new("ioeventfd-pio", "OUT that signals an eventfd nobody waits for", LoopClock.Guest)
        {
            Body = c => c.@out(BenchPorts.Doorbell, al),
        },
        new("ioeventfd-pio-woken", "the same, with a thread woken by each", LoopClock.Guest)
        {
            Body = c => c.@out(BenchPorts.WokenDoorbell, al),
            Partner = LoopPartner.Reader,
        },
        new("ioeventfd-mmio", "write that signals an eventfd nobody waits for", LoopClock.Guest)
        {
            Body = c => c.mov(__dword_ptr[r10 + BenchMmio.Doorbell], eax),
        },
        new("ioeventfd-mmio-woken", "the same, with a thread woken by each", LoopClock.Guest)
        {
            Body = c => c.mov(__dword_ptr[r10 + BenchMmio.WokenDoorbell], eax),
            Partner = LoopPartner.Reader,
        },
        new("coalesced-pio", "OUT that KVM queues until its ring is full", LoopClock.Guest)
        {
            Body = c => c.@out(BenchPorts.Coalesced, al),
        },
        new("coalesced-mmio", "write that KVM queues until its ring is full", LoopClock.Guest)
        {
            Body = c => c.mov(__dword_ptr[r10 + BenchMmio.Coalesced], eax),
        },
        new("cpuid", "CPUID, answered by KVM", LoopClock.Guest)
        {
            Body = c =>
            {
                c.mov(eax, 1);
                c.cpuid();
            },
        },
        new("rdmsr", "RDMSR of IA32_APIC_BASE, answered by KVM", LoopClock.Guest)
        {
            Body = c =>
            {
                c.mov(ecx, ApicBaseMsr);
                c.rdmsr();
            },
        },
        new("hypercall", "hypercall from ring 3, refused by KVM", LoopClock.Guest)
        {
            Body = ExitGuest.Hypercall,
            Ring = 3,
            Counter = new("hypercalls"),
        },
        new("hlt-irqfd", "HLT, woken by an irqfd, until the handler's OUT is out", LoopClock.Partner)
        {
            Partner = LoopPartner.Interrupter,
            Counter = new("halt_exits", AtMost: true),
        },
        new("ipi", "interprocessor interrupt to a halted vCPU and its answer", LoopClock.Guest)
        {
            Partner = LoopPartner.Processor,
        },
        new("kick", "signal that brings a busy vCPU out of the guest", LoopClock.Partner)
        {
            Partner = LoopPartner.Kicker,
            Counter = new("signal_exits"),
        },
    ];

    /// <summary>The loop without anything in it: what the guest's own clock readings cost.</summary>
    public static ExitLoop Nothing { get; } = new("nothing", "the empty loop", LoopClock.Guest) { Body = _ => { } };

    /// <summary>Bytes that one turn of rep-outs sends.</summary>
    public const int StringLength = 16;

    private const uint ApicBaseMsr = 0x1b;

    /// <summary>The instructions of one turn; null where the loop is more than a body, or none.</summary>
    internal Action<Assembler>? Body { get; init; }

    public LoopPartner Partner { get; init; }

    /// <summary>
    /// Privilege level that the loop runs at: 0, or 3 where that makes no difference to KVM and spares an emulator that
    /// executes hypercalls over and over.
    /// </summary>
    public int Ring { get; init; }

    /// <summary>Exits that one turn may make.</summary>
    public int MostExits { get; init; } = 1;

    /// <summary>What the kernel counts of it beside the returns from KVM_RUN.</summary>
    public KernelCounter? Counter { get; init; }
}

/// <summary>A statistic of the vCPU that each turn of a loop must move by one.</summary>
/// <param name="Name">As KVM_GET_STATS_FD names it.</param>
/// <param name="CountsEnd">Whether the OUT that ends a loop moves it too.</param>
/// <param name="AtMost">Whether a turn may leave it alone: an interrupt can come before the guest has halted.</param>
public sealed record KernelCounter(string Name, bool CountsEnd = false, bool AtMost = false)
{
    /// <summary>
    /// What the kernel counts once for each KVM_RUN: it gives the guest's FPU state back there, and nowhere else.
    /// </summary>
    public const string Returns = "fpu_reload";
}

/// <summary>The ports of the loops: a PC's second DMA controller, which no machine here has.</summary>
public static class BenchPorts
{
    public const byte First = 0xc0;
    public const byte Data = 0xc0;
    public const byte Doorbell = 0xc4;
    public const byte WokenDoorbell = 0xc6;
    public const byte Coalesced = 0xc8;

    /// <summary>A write here ends a loop.</summary>
    public const byte End = 0xcc;
    public const byte Length = 0x10;
}

/// <summary>The device window of the loops, as offsets from its first address.</summary>
public static class BenchMmio
{
    public const ulong Base = MemoryLayout.VirtioMmio;
    public const int Doorbell = 0x100;
    public const int WokenDoorbell = 0x200;
    public const int Coalesced = 0x1000;
    public const int CoalescedLength = 0x100;
    public const int Length = 0x2000;
}
