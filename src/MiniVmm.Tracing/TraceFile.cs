namespace MiniVmm.Tracing.Files;

/// <summary>Files that hold a trace: Chrome's trace-event JSON, or Perfetto's protocol buffers.</summary>
internal static class TraceFile
{
    /// <summary>Begins a file; its name's ending says of which format.</summary>
    /// <exception cref="BadInputException">It cannot be written.</exception>
    public static ITraceSink Create(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        OutputFile file = OutputFile.Create(path, OptionName.TraceFile);
        return IsPerfetto(path) ? new PerfettoWriter(file) : new ChromeWriter(file);
    }

    /// <summary>Whether a file of that name is in Perfetto's own format.</summary>
    public static bool IsPerfetto(string path) =>
        path.EndsWith(".pftrace", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".perfetto-trace", StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads a file, whichever format it has.</summary>
    /// <exception cref="BadInputException">It cannot be read, or is no trace of MiniVmm's.</exception>
    public static TraceContents Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            using FileStream file = File.OpenRead(path);
            int first = file.ReadByte();
            file.Position = 0;
            if (first is '{' or < 0)
                return ChromeReader.Read(file, path);
            byte[] bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return PerfettoReader.Read(bytes, path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException or OverflowException)
        {
            throw new BadInputException($"{path}: cannot be read: {e.Message}", e);
        }
    }
}
