using MiniVmm.Machine;

namespace MiniVmm.Configuration;

/// <summary>Where the guest finds its virtio devices: <c>mmio</c> or <c>pci</c>.</summary>
public static class VirtioText
{
    /// <exception cref="BadInputException">It is neither.</exception>
    public static VirtioBus Parse(string text) => text switch
    {
        "mmio" => VirtioBus.Mmio,
        "pci" => VirtioBus.Pci,
        _ => throw new BadInputException($"{OptionName.Virtio.With(text)}: use mmio or pci"),
    };
}
