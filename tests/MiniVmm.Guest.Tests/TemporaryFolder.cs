namespace MiniVmm.Guest.Tests;

/// <summary>An empty folder that goes with the test; open to other users, whom some tests become.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("minivmm-test-");

    public TemporaryFolder() => File.SetUnixFileMode(Path, (UnixFileMode)0b111_101_101);

    public string Path => _folder.FullName;

    /// <summary>Names of what is in it now.</summary>
    public IEnumerable<string> Entries => _folder.EnumerateFileSystemInfos().Select(entry => entry.Name);

    /// <summary>A path in it.</summary>
    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Writes a file, and gives its path.</summary>
    public string Write(string name, ReadOnlySpan<byte> content)
    {
        File.WriteAllBytes(this[name], content);
        return this[name];
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
