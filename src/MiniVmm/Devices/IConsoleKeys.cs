namespace MiniVmm.Devices;

/// <summary>A guest's console device, as the host's keyboard sees it. From any thread.</summary>
public interface IConsoleKeys
{
    /// <summary>Takes bytes from the host, as many as there is room for.</summary>
    /// <returns>How many were taken; the caller keeps the rest and tries again.</returns>
    int Receive(ReadOnlySpan<byte> data);

    /// <summary>Sends a break, which a Linux console takes as the start of a SysRq.</summary>
    void SendBreak();
}
