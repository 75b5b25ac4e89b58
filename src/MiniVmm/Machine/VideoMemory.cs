using MiniVmm.Boot;
using MiniVmm.Display;
using MiniVmm.Memory;

namespace MiniVmm.Machine;

/// <summary>
/// Video memory that a guest is told of by its loader: a memory slot of KVM's, so that drawing costs no exit. It is no RAM, so
/// that no device is asked to write there.
/// </summary>
internal sealed class VideoMemory : IDisposable
{
    private readonly RamBacking _memory;

    /// <summary>Maps it; after guest RAM, and before the interrupt controllers, as any slot.</summary>
    /// <exception cref="HostLimitException">The host has no such memory, or KVM does not take it.</exception>
    public VideoMemory(AddressSpace space, FramebufferInfo info)
    {
        _memory = RamBacking.Allocate(new MemoryOptions(MemoryLayout.FramebufferSize), MemoryLayout.FramebufferSize);
        try
        {
            space.CreateSlot(new(new(info.Address, _memory.Length), _memory.Address));
        }
        catch
        {
            _memory.Dispose();
            throw;
        }

        Framebuffer = new(_memory.Address, _memory.Length)
        {
            Mode = new(info.Width, info.Height, info.Pitch, 0, FramebufferInfo.BitsPerPixel),
        };
    }

    /// <summary>What it shows.</summary>
    public LinearFramebuffer Framebuffer { get; }

    /// <summary>Frees it; no vCPU runs any more.</summary>
    public void Dispose() => _memory.Dispose();
}
