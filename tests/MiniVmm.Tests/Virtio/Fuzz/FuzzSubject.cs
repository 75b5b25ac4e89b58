namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>Something to fuzz, every decision being read from a string of bytes.</summary>
/// <param name="Name">Of it, and the first part of the names of its files in the corpus.</param>
public abstract record FuzzSubject(string Name)
{
    /// <summary>All there are: the virtio devices, the PCI bus with functions on it, and processors' hot-plug registers.</summary>
    public static IReadOnlyList<FuzzSubject> Everything => [.. FuzzTarget.All, new FuzzedPci(), new FuzzedHotPlug()];

    /// <summary>Plays a string of bytes to its end.</summary>
    /// <param name="input">The bytes.</param>
    /// <param name="trace">Learns how far it got.</param>
    /// <param name="handsOver">Whether another one takes over in the saved state before a step; null is never.</param>
    /// <exception cref="Exception">Whatever it throws, or what it did wrong.</exception>
    public abstract FuzzCounts Run(ReadOnlyMemory<byte> input, FuzzTrace trace, Func<int, bool>? handsOver = null);

    private sealed record FuzzedPci() : FuzzSubject("pci")
    {
        public override FuzzCounts Run(ReadOnlyMemory<byte> input, FuzzTrace trace, Func<int, bool>? handsOver = null) =>
            PciFuzzer.Run(input, trace, handsOver);
    }

    private sealed record FuzzedHotPlug() : FuzzSubject("hotplug")
    {
        public override FuzzCounts Run(ReadOnlyMemory<byte> input, FuzzTrace trace, Func<int, bool>? handsOver = null) =>
            HotPlugFuzzer.Run(input, trace, handsOver);
    }
}
