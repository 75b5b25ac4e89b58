namespace MiniVmm.Pci;

/// <summary>A function on the bus. The bus makes one call at a time, from any vCPU's thread.</summary>
internal interface IPciFunction
{
    /// <summary>For people: "disk0".</summary>
    string Name { get; }

    /// <summary>Reads its configuration space.</summary>
    /// <param name="register">First byte, 0 to 4095.</param>
    /// <param name="data">1, 2 or 4 bytes, all of one doubleword.</param>
    void ReadConfiguration(int register, Span<byte> data);

    /// <summary>Writes its configuration space; what is not writable is left alone.</summary>
    void WriteConfiguration(int register, ReadOnlySpan<byte> data);

    /// <summary>Another function gave addresses back: it may decode there now, if that is where it is programmed to.</summary>
    void Decode();
}
