using MiniVmm.Memory;

namespace MiniVmm.Virtio.Mem;

/// <summary>Makes blocks of a <see cref="PluggableRegion"/> RAM. One thread at a time.</summary>
internal interface IBlockHost
{
    /// <summary>Makes unplugged blocks RAM; what is in them is anything.</summary>
    /// <returns>False where the host cannot now: nothing has changed.</returns>
    bool TryPlug(GuestRange blocks);

    /// <summary>Makes plugged blocks cease to be RAM, and gives their pages back to the host.</summary>
    void Unplug(GuestRange blocks);
}
