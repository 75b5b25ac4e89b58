namespace MiniVmm;

/// <summary>Files that are written at a machine's end: that they can be is known before the guest has run for it.</summary>
internal static class OutputFile
{
    /// <summary>Creates it, or empties it.</summary>
    /// <param name="path">Where.</param>
    /// <param name="option">Whose value the path is.</param>
    /// <exception cref="BadInputException">It cannot be written.</exception>
    public static FileStream Create(string path, OptionName option)
    {
        try
        {
            return new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new BadInputException($"{option.With(path)}: cannot be written: {e.Message}", e);
        }
    }
}
