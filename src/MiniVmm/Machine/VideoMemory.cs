using MiniVmm.Boot;
using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Memory;
using MiniVmm.Pci;

namespace MiniVmm.Machine;

/// <summary>
/// Video memory: a memory slot of KVM's, so that drawing costs no exit. It is no RAM, so that no device is asked to write there.
/// </summary>
/// <param name="space">Where it is mapped.</param>
/// <exception cref="HostLimitException">The host has no such memory.</exception>
internal sealed class VideoMemory(AddressSpace space) : IPciBarTarget, ISuspendable, IDisposable
{
    private readonly RamBacking _memory =
        RamBacking.Allocate(new MemoryOptions(MemoryLayout.FramebufferSize), MemoryLayout.FramebufferSize);

    private LinearFramebuffer? _framebuffer;

    /// <summary>What it shows.</summary>
    public LinearFramebuffer Framebuffer => _framebuffer ??= new(_memory.Address, _memory.Length);

    public string StateName => "video-memory";

    public ushort StateVersion => 1;

    internal unsafe Span<byte> Bytes => new((void*)_memory.Address, (int)_memory.Length);

    /// <summary>Shows a kernel's framebuffer, before the guest runs.</summary>
    public void Show(FramebufferInfo info) =>
        Framebuffer.Mode = new FrameMode(info.Width, info.Height, info.Pitch, 0, FramebufferInfo.BitsPerPixel);

    /// <exception cref="HostLimitException">KVM does not take it.</exception>
    public void Map(ulong address) => space.CreateSlot(Slot(address));

    public void Unmap(ulong address) => space.DeleteSlot(Slot(address));

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteBytes(Bytes[..(Bytes.LastIndexOfAnyExcept((byte)0) + 1)]);
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ReadOnlySpan<byte> saved = reader.ReadBytes(Bytes.Length);
        saved.CopyTo(Bytes);
        Bytes[saved.Length..].Clear();
    }

    /// <summary>Frees it; no vCPU runs any more.</summary>
    public void Dispose() => _memory.Dispose();

    private RamSlot Slot(ulong address) => new(new(address, _memory.Length), _memory.Address);
}
