using MiniVmm.Tests.Boot;

namespace MiniVmm.Tests.Testing;

/// <summary>A folder of images and what is said of them, which goes with the test.</summary>
internal sealed class TestFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("minivmm-tests-");

    public string Path => _folder.FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Writes a file, with the folders that it is in.</summary>
    public TestFolder With(string name, ReadOnlySpan<byte> content)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(this[name])!);
        File.WriteAllBytes(this[name], content);
        return this;
    }

    public TestFolder With(string name, string text) => With(name, System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>Writes kernels.</summary>
    public TestFolder WithKernels(params string[] names)
    {
        foreach (string name in names)
            With(name, MultibootFiles.Elf().Build());
        return this;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
