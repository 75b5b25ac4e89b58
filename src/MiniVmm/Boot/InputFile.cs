using System.Text;
using Microsoft.Win32.SafeHandles;
using MiniVmm.Memory;
using Tmds.Linux;

namespace MiniVmm.Boot;

/// <summary>
/// Reads whole files that a user names, outside of the managed heap: they are large and soon freed.
/// </summary>
internal static unsafe class InputFile
{
    /// <summary>Reads <paramref name="path"/>.</summary>
    /// <param name="option">The option that named it, for errors.</param>
    /// <exception cref="BadInputException">
    /// Not there, not readable, not a regular file, empty, or 2 GiB and more.
    /// </exception>
    /// <exception cref="HostLimitException">The host has no memory for it.</exception>
    public static NativeBuffer Read(string path, OptionName option)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            if (path.Length == 0)
                throw new BadInputException($"{option}: the file name is empty");
            RefuseOtherKinds(path, option);
            using SafeFileHandle file = File.OpenHandle(path, options: FileOptions.SequentialScan);
            long length = RandomAccess.GetLength(file);
            return length switch
            {
                0 => throw new BadInputException($"{option.With(path)}: the file is empty"),
                > int.MaxValue => throw TooLarge(path, option, length),
                _ => ReadWhole(file, (int)length, path, option),
            };
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BadInputException($"{option.With(path)}: no such file", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new BadInputException($"{option.With(path)}: permission denied", e);
        }
        catch (IOException e)
        {
            throw new BadInputException($"{option.With(path)}: cannot be read: {e.Message}", e);
        }
        catch (OutOfMemoryException e)
        {
            throw new HostLimitException($"{option.With(path)}: the host has no memory to read it into", e);
        }
    }

    /// <summary>Reads the start of a file that may be larger than what is loaded as a whole.</summary>
    /// <param name="path">The file.</param>
    /// <param name="most">Bytes at most.</param>
    /// <param name="length">The file's.</param>
    /// <returns>Null where it is not a regular file that can be read.</returns>
    public static byte[]? TryReadStart(string path, int most, out long length)
    {
        length = 0;
        try
        {
            RefuseOtherKinds(path, OptionName.Kernel);
            using SafeFileHandle file = File.OpenHandle(path);
            length = RandomAccess.GetLength(file);
            byte[] start = new byte[Math.Min(most, length)];
            int filled = 0;
            while (filled < start.Length && RandomAccess.Read(file, start.AsSpan(filled), filled) is > 0 and int got)
                filled += got;
            return start[..filled];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or BadInputException)
        {
            return null;
        }
    }

    /// <summary>No kernel is as large; a disk in a kernel's place may be.</summary>
    private static BadInputException TooLarge(string path, OptionName option, long length)
    {
        OptionMessage reason = $"{option.With(path)}: {length} bytes are more than MiniVmm loads (2 GiB)";
        return option == OptionName.Kernel ? BadInputException.OfNoKernel(reason) : new BadInputException(reason);
    }

    private static NativeBuffer ReadWhole(SafeFileHandle file, int length, string path, OptionName option)
    {
        NativeBuffer buffer = new(length);
        try
        {
            int filled = 0;
            while (filled < length && RandomAccess.Read(file, buffer.GetSpan()[filled..], filled) is > 0 and int got)
                filled += got;
            return filled == length
                ? buffer
                : throw new BadInputException(
                    $"{option.With(path)}: ended after {filled} of {length} bytes while it was read");
        }
        catch
        {
            buffer.Dispose();
            throw;
        }
    }

    /// <summary>Looks before it opens: opening a FIFO that nobody writes to would wait for ever.</summary>
    private static void RefuseOtherKinds(string path, OptionName option)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            stat status;
            if (LibC.stat(name, &status) != 0)
                return; // opening it will say why
            uint kind = (uint)status.st_mode & (uint)LibC.S_IFMT;
            if (kind == (uint)LibC.S_IFDIR)
                throw new BadInputException($"{option.With(path)}: is a directory; name a file");
            if (kind != (uint)LibC.S_IFREG)
                throw new BadInputException($"{option.With(path)}: not a regular file; name one");
        }
    }
}
