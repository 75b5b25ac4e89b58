namespace MiniVmm.Devices;

/// <summary>
/// Where the guest's text goes. Called from vCPU threads: neither allocates nor makes a caller wait for a system call.
/// </summary>
public interface IConsoleSink
{
    void Write(byte value);
}
