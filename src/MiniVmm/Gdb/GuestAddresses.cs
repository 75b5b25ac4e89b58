using MiniVmm.Execution;
using MiniVmm.Kvm;

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

    /// <summary>Where a linear address is, on the first vCPU that has it mapped to RAM; null where it is on none.</summary>
    public ulong? Find(ulong linear)
    {
        foreach (VcpuThread vcpu in machine.Vcpus)
        {
            if (vcpu.IsParked)
                continue;
            kvm_translation translation = default;
            vcpu.Invoke(kvm => translation = kvm.Translate(linear));
            if (translation.valid != 0 && machine.Memory.TryGetSpan(translation.physical_address, 1, out _))
                return translation.physical_address;
        }

        return null;
    }

    /// <summary>The pages that bytes lie in; no more after the first that is not there.</summary>
    private List<Part> Parts(int vcpu, ulong address, int count, bool isPhysical)
    {
        List<Part> parts = [];
        machine.Vcpus[vcpu].Invoke(kvm =>
        {
            for (int left = count; left > 0;)
            {
                int length = (int)Math.Min((ulong)left, PageSize - (address % PageSize));
                ulong? physical = address;
                if (!isPhysical)
                {
                    kvm_translation translation = kvm.Translate(address);
                    physical = translation.valid != 0 ? translation.physical_address : null;
                }

                parts.Add(new(physical, length));
                if (physical is null)
                    return;
                left -= length;
                address = unchecked(address + (ulong)length);
            }
        });
        return parts;
    }

    private readonly record struct Part(ulong? Physical, int Length);
}
