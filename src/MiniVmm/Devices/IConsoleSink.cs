namespace MiniVmm.Devices;

/// <summary>
/// Where the guest's text goes. Called from vCPU threads: neither allocates nor makes a caller wait for a system call.
/// </summary>
public interface IConsoleSink
{
    void Write(byte value);

    /// <summary>Takes several bytes, as many as there is room for right now, without making the caller wait.</summary>
    /// <returns>How many were taken; the caller keeps the rest and tries again.</returns>
    int TryWrite(ReadOnlySpan<byte> text)
    {
        foreach (byte value in text)
            Write(value);
        return text.Length;
    }
}
