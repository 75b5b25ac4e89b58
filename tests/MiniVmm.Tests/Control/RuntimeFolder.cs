using System.Runtime.Versioning;

namespace MiniVmm.Tests.Control;

/// <summary>
/// A new XDG_RUNTIME_DIR for one test. The variable is the process', so that tests with one run one after the other.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class RuntimeFolder : IDisposable
{
    public const string Collection = "XDG_RUNTIME_DIR";

    private const string Variable = "XDG_RUNTIME_DIR";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("minivmm-test-");
    private readonly string? _before = Environment.GetEnvironmentVariable(Variable);

    public RuntimeFolder() => Environment.SetEnvironmentVariable(Variable, _folder.FullName);

    public string Path => _folder.FullName;

    /// <summary>The directory of the sockets.</summary>
    public string Sockets => System.IO.Path.Combine(Path, "minivmm");

    public string Socket(string name) => System.IO.Path.Combine(Sockets, name + ".sock");

    /// <summary>Makes the directory as MiniVmm does.</summary>
    public RuntimeFolder WithSockets(UnixFileMode mode = (UnixFileMode)0b111_000_000)
    {
        Directory.CreateDirectory(Sockets);
        File.SetUnixFileMode(Sockets, mode);
        return this;
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(Variable, _before);
        _folder.Delete(recursive: true);
    }
}
