using MiniVmm.Host;

namespace MiniVmm;

/// <summary>
/// Files that are written at a machine's end: that they can be is known before the guest has run for it. Where one grows beyond the
/// process' limit, a write throws <see cref="IOException"/> like any other that fails, and names the limit.
/// </summary>
internal sealed class OutputFile : Stream
{
    private readonly FileStream _file;

    private OutputFile(FileStream file) => _file = file;

    public override bool CanRead => false;

    public override bool CanSeek => true;

    public override bool CanWrite => true;

    public override long Length => _file.Length;

    public override long Position
    {
        get => _file.Position;
        set => _file.Position = value;
    }

    /// <summary>Creates it, or empties it.</summary>
    /// <param name="path">Where.</param>
    /// <param name="option">Whose value the path is.</param>
    /// <exception cref="BadInputException">It cannot be written.</exception>
    public static OutputFile Create(string path, OptionName option)
    {
        try
        {
            return new(new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new BadInputException($"{option.With(path)}: cannot be written: {e.Message}", e);
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            _file.Write(buffer);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw TooLarge(e);
        }
    }

    public override void SetLength(long value)
    {
        try
        {
            _file.SetLength(value);
        }
        catch (ArgumentOutOfRangeException e) when (value >= 0)
        {
            throw TooLarge(e);
        }
    }

    public override void Flush() => _file.Flush();

    public override long Seek(long offset, SeekOrigin origin) => _file.Seek(offset, origin);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _file.Dispose();
        base.Dispose(disposing);
    }

    // What .NET makes of EFBIG is the one exception of a write that is no IOException.
    private static IOException TooLarge(ArgumentOutOfRangeException e) => new(ProcessLimit.Explain(Errno.EFBIG), e);
}
