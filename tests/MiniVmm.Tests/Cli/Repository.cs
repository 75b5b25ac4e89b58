namespace MiniVmm.Tests.Cli;

/// <summary>The source tree that these tests were built in.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "MiniVmm.sln")))
                return folder;
        }

        throw new DirectoryNotFoundException($"No MiniVmm.sln above {AppContext.BaseDirectory}");
    }
}
