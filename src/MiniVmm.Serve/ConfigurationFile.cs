using System.Text.Json;
using Microsoft.Extensions.Configuration;

namespace MiniVmm.Serve;

/// <summary>A configuration file of <c>minivmm serve</c>, with one line for whatever is wrong with it.</summary>
internal static class ConfigurationFile
{
    /// <summary>Bytes at most. A file may be a pipe, or a device without an end.</summary>
    private const int MaxLength = 1 << 20;

    /// <summary>Adds the file, which is read now and closed, to a configuration.</summary>
    /// <exception cref="BadInputException">It cannot be read, or is not a JSON object.</exception>
    public static void AddTo(ConfigurationManager configuration, string path)
    {
        try
        {
            _ = configuration.AddJsonStream(Read(path));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BadInputException($"{path}: no such file", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new BadInputException($"{path}: cannot be read: {e.Message}", e);
        }
        catch (JsonException e)
        {
            throw new BadInputException($"{path}:{e.LineNumber + 1}: not JSON: {WithoutPlace(e.Message)}", e);
        }
        catch (FormatException e) // a key twice, or not an object
        {
            throw new BadInputException($"{path}: {e.Message}", e);
        }
    }

    private static MemoryStream Read(string path)
    {
        using FileStream file = File.OpenRead(path);
        byte[] bytes = new byte[MaxLength + 1];
        int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return length <= MaxLength
            ? new MemoryStream(bytes, 0, length)
            : throw new BadInputException($"{path}: over {ByteSize.Format(MaxLength)}, not a configuration");
    }

    /// <summary>The parser counts lines from 0, and says so in its messages.</summary>
    private static string WithoutPlace(string message)
    {
        int place = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return place < 0 ? message : message[..place];
    }
}
