namespace MiniVmm.Display;

/// <summary>A file that gets a picture later: that it can be written is known before the guest has run for it.</summary>
internal sealed class ScreenshotFile : IDisposable
{
    private readonly string _path;
    private readonly OutputFile _file;

    private ScreenshotFile(string path, OutputFile file)
    {
        _path = path;
        _file = file;
    }

    /// <exception cref="BadInputException">It cannot be written.</exception>
    public static ScreenshotFile Create(string path) => new(path, OutputFile.Create(path, OptionName.ScreenshotAtEnd));

    /// <exception cref="HostLimitException">It cannot be written after all: its disk is full.</exception>
    public void Write(ScreenImage image)
    {
        try
        {
            _file.Write(PngFile.Encode(image));
            _file.Flush();
        }
        catch (IOException e)
        {
            throw new HostLimitException($"{OptionName.ScreenshotAtEnd.With(_path)}: cannot be written: {e.Message}", e);
        }
    }

    public void Dispose() => _file.Dispose();
}
