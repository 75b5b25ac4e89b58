using Microsoft.Win32.SafeHandles;
using MiniVmm.Memory;
using Tmds.Linux;

namespace MiniVmm.Boot;

/// <summary>Reads the files a user names, whole, outside of the managed heap: they are large and soon given back.</summary>
public static unsafe class InputFile
{
    /// <summary>Reads <paramref name="path"/>.</summary>
    /// <param name="option">The option that named it, for errors: "--kernel".</param>
    /// <exception cref="BadInputException">Not there, not readable, not a regular file, empty, or 2 GiB and more.</exception>
    public static NativeBuffer Read(string path, string option)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            if (path.Length == 0)
                throw new BadInputException($"{option}: the file name is empty");
            if (Directory.Exists(path))
                throw new BadInputException($"{option} {path}: is a directory; name a file");
            using SafeFileHandle file = File.OpenHandle(path, options: FileOptions.SequentialScan);
            if (!IsRegular(file))
                throw new BadInputException($"{option} {path}: not a regular file; name one");
            long length = RandomAccess.GetLength(file);
            if (length is 0 or > int.MaxValue)
                throw new BadInputException($"{option} {path}: {(length == 0 ? "the file is empty" : $"{length} bytes are more than MiniVmm loads (2 GiB)")}");
            NativeBuffer buffer = new((int)length);
            int filled = 0;
            while (filled < length && RandomAccess.Read(file, buffer.Memory.Span[filled..], filled) is > 0 and int got)
                filled += got;
            if (filled == length)
                return buffer;
            ((IDisposable)buffer).Dispose();
            throw new BadInputException($"{option} {path}: ended after {filled} of {length} bytes while it was read");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BadInputException($"{option} {path}: no such file", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new BadInputException($"{option} {path}: permission denied", e);
        }
        catch (IOException e)
        {
            throw new BadInputException($"{option} {path}: cannot be read: {e.Message}", e);
        }
    }

    private static bool IsRegular(SafeFileHandle file)
    {
        stat status;
        return LibC.fstat((int)file.DangerousGetHandle(), &status) == 0
            && ((uint)status.st_mode & (uint)LibC.S_IFMT) == (uint)LibC.S_IFREG;
    }
}
