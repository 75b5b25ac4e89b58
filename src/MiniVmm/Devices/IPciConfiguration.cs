namespace MiniVmm.Devices;

/// <summary>The configuration spaces of all functions behind a host bridge, as the two ways to them see it.</summary>
internal interface IPciConfiguration
{
    /// <summary>Reads registers; where there is no function, all ones.</summary>
    /// <param name="function">Bus, device and function: bits 15:8, 7:3 and 2:0.</param>
    /// <param name="register">First byte, 0 to 4095.</param>
    /// <param name="data">1, 2 or 4 bytes, all of one doubleword.</param>
    void Read(uint function, int register, Span<byte> data);

    /// <summary>Writes registers; where there is no function, nothing.</summary>
    void Write(uint function, int register, ReadOnlySpan<byte> data);
}
