namespace MiniVmm.Tracing.Files;

/// <summary>Files that hold a trace: Chrome's trace-event JSON.</summary>
internal static class TraceFile
{
    /// <summary>Begins a file; its name's ending says of which format.</summary>
    /// <exception cref="BadInputException">It cannot be written.</exception>
    public static ITraceSink Create(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return new ChromeWriter(OutputFile.Create(path, OptionName.TraceFile));
    }

    /// <summary>Reads a file, whichever format it has.</summary>
    /// <exception cref="BadInputException">It cannot be read, or is no trace of MiniVmm's.</exception>
    public static TraceContents Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            using FileStream file = File.OpenRead(path);
            return ChromeReader.Read(file, path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new BadInputException($"{path}: cannot be read: {e.Message}", e);
        }
    }
}
