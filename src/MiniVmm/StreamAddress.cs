using System.Globalization;
using System.Net;

namespace MiniVmm;

/// <summary>Where clients connect: a TCP port, or a unix socket.</summary>
/// <param name="Address">The host's own address; null for a unix socket.</param>
/// <param name="Port">TCP port, 1 to 65535; 0 for a unix socket.</param>
/// <param name="Path">The socket's file; null for TCP.</param>
public sealed record StreamAddress(IPAddress? Address, int Port, string? Path)
{
    /// <summary>As options have it: 127.0.0.1:5901, unix:/run/screen.</summary>
    public override string ToString() => Path is not null ? $"unix:{Path}"
        : string.Create(CultureInfo.InvariantCulture, $"{new IPEndPoint(Address!, Port)}");
}
