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
    private readonly Lock _comparing = new();
    private readonly Watched[] _watched = [.. registers.Select(register => new Watched { Register = register })];

    /// <summary>Looks whether bytes are others than at the last look; on the thread of a vCPU that has come out.</summary>
    /// <returns>The watchpoint of the first that are; null for none. Allocates nothing.</returns>
    public Breakpoint? FindChange(KvmVcpu vcpu)
    {
        Breakpoint? found = null;
        foreach (Watched watched in _watched)
        {
            if (watched.Physical is null)
                watched.Physical = Find(vcpu, watched.Register.Address);
            lock (_comparing)
            {
                if (watched.Physical is not { } physical || !TryRead(physical, watched.Register.Length, out ulong now))
                    continue;
                if (watched.IsKnown && watched.Last != now)
                    found ??= watched.Register.Breakpoint;
                (watched.IsKnown, watched.Last) = (true, now);
            }
        }

        return found;
    }

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

        public bool IsKnown { get; set; }

        public ulong Last { get; set; }
    }
}
