using MiniVmm.Memory;

namespace MiniVmm.Pci;

/// <summary>
/// Which function decodes what of a bus' addresses. A base address outside of the bridge's windows is decoded by nobody,
/// so that a guest can lay no device over its RAM or over another device of the machine.
/// </summary>
/// <param name="windows">What the bridge passes on.</param>
internal sealed class PciDecoding(PciWindows windows)
{
    private readonly List<(bool IsPort, GuestRange Range)> _claims = [];
    private readonly List<PciEndpoint> _restored = [];
    private bool _released;

    public PciWindows Windows => windows;

    /// <summary>Has a function decode a range.</summary>
    /// <returns>False where the bridge does not pass it on, or another function decodes some of it.</returns>
    public bool TryClaim(bool isPort, GuestRange range)
    {
        bool passed = isPort
            ? windows.Ports.Contains(range.Start, range.Length)
            : windows.Memory.Contains(range.Start, range.Length) || windows.HighMemory.Contains(range.Start, range.Length);
        if (!passed || _claims.Exists(claim => claim.IsPort == isPort && claim.Range.Overlaps(range)))
            return false;
        _claims.Add((isPort, range));
        return true;
    }

    /// <summary>Takes back <see cref="TryClaim"/>.</summary>
    public void Release(bool isPort, GuestRange range) => _released |= _claims.Remove((isPort, range));

    /// <summary>Whether anything was released since the last call.</summary>
    public bool TakeReleased()
    {
        bool released = _released;
        _released = false;
        return released;
    }

    /// <summary>
    /// A function has its registers from a saved state. Where it was before may be another's place, which has been restored already.
    /// </summary>
    public void Restored(PciEndpoint function)
    {
        if (!_restored.Contains(function))
            _restored.Add(function);
        do
        {
            foreach (PciEndpoint each in _restored)
                each.DecodeRestored();
        }
        while (TakeReleased());
    }
}
