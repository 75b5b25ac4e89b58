using MiniVmm.Execution;
using MiniVmm.Inspection;

namespace MiniVmm.Gdb;

/// <summary>Guest memory by addresses of gdb's: linear ones as a vCPU maps them, or physical ones.</summary>
/// <param name="machine">The machine; its vCPUs stand still, unless just an address is looked for.</param>
internal sealed class GuestAddresses(IDebuggedMachine machine)
{
    private const ulong PageSize = 4096;

    /// <returns>How many bytes there are up to the first that is not RAM.</returns>
    public int Read(int vcpu, ulong address, Span<byte> bytes, bool isPhysical)
    {
        int done = 0;
        foreach (Part part in Parts(vcpu, address, bytes.Length, isPhysical))
        {
            if (part.Physical is not { } physical || !machine.Memory.TryGetSpan(physical, part.Length, out Span<byte> there))
                break;
            there.CopyTo(bytes[done..]);
            done += part.Length;
        }

        return done;
    }

    /// <returns>False where one of them is not RAM: none is written then.</returns>
    public bool TryWrite(int vcpu, ulong address, ReadOnlySpan<byte> bytes, bool isPhysical)
    {
        List<Part> parts = Parts(vcpu, address, bytes.Length, isPhysical);
        if (parts.Exists(part => part.Physical is not { } physical || !machine.Memory.TryGetSpan(physical, part.Length, out _)))
            return false;
        foreach (Part part in parts)
        {
            machine.Memory.TryGetSpan(part.Physical!.Value, part.Length, out Span<byte> there);
            bytes[..part.Length].CopyTo(there);
            bytes = bytes[part.Length..];
        }

        return true;
    }

    /// <summary>How each vCPU that is in the machine translates addresses now.</summary>
    public PagingState[] Paging()
    {
        List<VcpuThread> vcpus = [.. machine.Vcpus.Where(vcpu => !vcpu.IsParked)];
        PagingState[] all = new PagingState[vcpus.Count];
        for (int i = 0; i < all.Length; i++)
            all[i] = Paging(vcpus[i]);
        return all;
    }

    /// <summary>Where a linear address is, on the first vCPU that has it mapped to RAM; null where it is on none.</summary>
    /// <param name="linear">The address.</param>
    /// <param name="paging">What <see cref="Paging()"/> said.</param>
    public ulong? Find(ulong linear, PagingState[] paging)
    {
        foreach (PagingState state in paging)
        {
            PageWalk walk = PageWalk.Of(linear, state, machine.Memory);
            if (walk.End == PageWalkEnd.Mapped && machine.Memory.TryGetSpan(walk.Physical, 1, out _))
                return walk.Physical;
        }

        return null;
    }

    /// <summary>Whether a vCPU executes what is at a physical address where a linear one leads.</summary>
    /// <param name="linear">The linear address.</param>
    /// <param name="physical">The physical one.</param>
    /// <param name="paging">What <see cref="Paging()"/> said.</param>
    public bool IsCode(ulong linear, ulong physical, PagingState[] paging) => Array.Exists(
        paging,
        state => PageWalk.Of(linear, state, machine.Memory) is { End: PageWalkEnd.Mapped, IsExecutable: true } walk && walk.Physical == physical);

    private static PagingState Paging(VcpuThread vcpu)
    {
        PagingState state = default;
        vcpu.Invoke(kvm => state = PagingState.Of(kvm.GetRegs(), kvm.GetSregs()));
        return state;
    }

    /// <summary>The pages that bytes lie in; no more after the first that is not there.</summary>
    private List<Part> Parts(int vcpu, ulong address, int count, bool isPhysical)
    {
        List<Part> parts = [];
        PagingState state = isPhysical ? default : Paging(machine.Vcpus[vcpu]);
        for (int left = count; left > 0;)
        {
            int length = (int)Math.Min((ulong)left, PageSize - (address % PageSize));
            ulong? physical = address;
            if (!isPhysical)
            {
                PageWalk walk = PageWalk.Of(address, state, machine.Memory);
                physical = walk.End == PageWalkEnd.Mapped ? walk.Physical : null;
            }

            parts.Add(new(physical, length));
            if (physical is null)
                break;
            left -= length;
            address = unchecked(address + (ulong)length);
        }

        return parts;
    }

    private readonly record struct Part(ulong? Physical, int Length);
}
