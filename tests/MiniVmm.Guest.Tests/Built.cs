namespace MiniVmm.Guest.Tests;

/// <summary>What <c>make build</c> leaves in out/, and these tests run.</summary>
internal static class Built
{
    /// <summary>The repository.</summary>
    public static readonly string Root = FindRoot();

    /// <summary>The program as its users get it.</summary>
    public static string MiniVmm => Existing("minivmm");

    /// <summary>The program beside it, which it becomes for all but machines.</summary>
    public static string Tools => Existing("minivmm-tools");

    /// <summary>A test kernel, by its file's name.</summary>
    public static string Guest(string name) => Existing(Path.Combine("guests", name));

    /// <summary>A program of samples/, by its folder's name.</summary>
    public static string Sample(string name) => Existing(Path.Combine("samples", "bin", name, "release", name));

    /// <summary>A page of docs/.</summary>
    public static string Page(string name) => Path.Combine(Root, "docs", name);

    private static string Existing(string name)
    {
        string path = Path.Combine(Root, "out", name);
        Assert.True(File.Exists(path), $"There is no {path}: run `make build samples` first.");
        return path;
    }

    private static string FindRoot()
    {
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "MiniVmm.sln")))
                return folder;
        }

        throw new DirectoryNotFoundException($"No MiniVmm.sln above {AppContext.BaseDirectory}");
    }
}
