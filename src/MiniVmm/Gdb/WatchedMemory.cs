using MiniVmm.Inspection;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Gdb;

/// <summary>
/// Watchpoints without debug registers: what was in their bytes, to be compared after each instruction. For a KVM that emulates the
/// guest's supervisor code, which has the processor watch user code alone.
/// </summary>
/// <param name="memory">Guest RAM.</param>
/// <param name="registers">Those of the watchpoints.</param>
internal sealed class WatchedMemory(GuestMemory memory, IEnumerable<DebugRegister> registers)
{
    /// <summary>
    /// How often a change is passed over that no vCPU's instruction can have made: a device's, then, which whoever sees it tells.
    /// </summary>
    private const int MostPassedOver = 1000;

    private readonly Watched[] _watched = [.. registers.Select(register => new Watched { Register = register })];

    /// <summary>
    /// Looks whether bytes are others than at the last look; on the thread of a vCPU that has come out. What another vCPU is
    /// just writing is left to that one.
    /// </summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="at">Linear address of the instruction that it has been through; null where it is not known.</param>
    /// <returns>The watchpoint of the first that are; null for none. Allocates only where there is a change.</returns>
    public Breakpoint? FindChange(KvmVcpu vcpu, ulong? at)
    {
        Breakpoint? found = null;
        foreach (Watched watched in _watched)
        {
            watched.Physical ??= Find(vcpu, watched.Register.Address);
            if (watched.Physical is not { } physical || !TryRead(physical, watched.Register.Length, out ulong now))
                continue;
            ulong last = Volatile.Read(ref watched.Last);
            if (!watched.IsKnown)
            {
                Volatile.Write(ref watched.Last, now);
                watched.IsKnown = true;
                continue;
            }

            if (last == now || (at is { } instruction && !MayBeOf(vcpu, instruction, watched)))
                continue;

            // Of two that may have been it, one.
            if (Interlocked.CompareExchange(ref watched.Last, now, last) == last)
                found ??= watched.Register.Breakpoint;
            watched.PassedOver = 0;
        }

        return found;
    }

    private bool MayBeOf(KvmVcpu vcpu, ulong instruction, Watched watched) =>
        ++watched.PassedOver > MostPassedOver
        || InstructionWrites.MayBe(
            new GuestView(vcpu.GetRegs(), vcpu.GetSregs(), memory), instruction, watched.Register.Address, watched.Register.Length);

    private static ulong? Find(KvmVcpu vcpu, ulong linear)
    {
        kvm_translation translation = vcpu.Translate(linear);
        return translation.valid != 0 ? translation.physical_address : null;
    }

    private bool TryRead(ulong physical, int length, out ulong value)
    {
        value = 0;
        if (!memory.TryGetSpan(physical, length, out Span<byte> bytes))
            return false;
        bytes.CopyTo(System.Runtime.InteropServices.MemoryMarshal.AsBytes(new Span<ulong>(ref value)));
        return true;
    }

    private sealed class Watched
    {
        public required DebugRegister Register { get; init; }

        public ulong? Physical { get; set; }

        public volatile bool IsKnown;

        public ulong Last;

        public volatile int PassedOver;
    }
}
