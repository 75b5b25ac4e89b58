namespace MiniVmm.Terminal;

/// <summary>A socket that the console is joined to, as QEMU's character devices have it.</summary>
/// <param name="Path">Of a socket of unix(7); null for one of TCP.</param>
/// <param name="Host">Name or address, for TCP; empty for every address of a listener, and the loopback else.</param>
/// <param name="Port">1 to 65535, for TCP.</param>
/// <param name="Listens">Whether others connect to it, one after the other, rather than it to somebody.</param>
/// <param name="Waits">Whether the guest waits for the first of them.</param>
public sealed record ConsoleSocket(string? Path, string Host, ushort Port, bool Listens, bool Waits)
{
    /// <summary>As it was written: unix:/run/console, tcp:localhost:4444.</summary>
    public override string ToString() => Path is not null ? $"unix:{Path}" : $"tcp:{Host}:{Port}";
}
