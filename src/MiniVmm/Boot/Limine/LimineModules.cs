using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Boot.Limine;

/// <summary>
/// The modules that an executable names itself, beside those of a configuration (Limine boot protocol, "Module Feature", request
/// revision 1): files of the volume that it comes from. The host's own files are none of them: an executable is not trusted to name those.
/// </summary>
internal static class LimineModules
{
    private const int CountOffset = 48, RequestSize = 64, ModuleSize = 24;
    private const ulong MostModules = 1024;
    private const int MostText = 1024;
    private const ulong Required = 1, Compressed = 2;

    /// <summary>Those that are there, in their order.</summary>
    /// <exception cref="BadInputException">One that is required is not, or what describes it is not in what is loaded.</exception>
    public static List<BootModule> Find(BootRequest request, LimineRequests requests, LimineImage image)
    {
        List<BootModule> found = [];
        if (!requests.All.TryGetValue(LimineFeature.Modules, out ulong at) || !image.TryGet(at, RequestSize, out Span<byte> fields)
            || U64(fields, 32) == 0)
            return found;
        ulong count = U64(fields, CountOffset);
        ulong table = U64(fields, CountOffset + 8);
        string name = request.KernelName;
        if (count > MostModules)
            throw new BadInputException($"{name}: names {count} Limine modules itself, more than {MostModules}");
        for (ulong i = 0; i < count; i++)
        {
            if (!image.TryGetPointed(unchecked(table + (i * sizeof(ulong))), sizeof(ulong), out Span<byte> pointer)
                || !image.TryGetPointed(U64(pointer, 0), ModuleSize, out Span<byte> module)
                || Text(image, U64(module, 0)) is not { Length: > 0 } path
                || (U64(module, 8) == 0 ? "" : Text(image, U64(module, 8))) is not { } words)
                throw new BadInputException($"{name}: Limine module {i + 1}, which it names itself, is not described in what is loaded from the file");
            ulong flags = U64(module, 16);
            string full = Full(request.ToldName ?? "", path);
            if ((flags & Compressed) == 0 && request.Volume?.Invoke(full, words) is { } file)
                found.Add(file);
            else if ((flags & Required) != 0)
                throw Missing(name, path, full, (flags & Compressed) != 0, request.Volume is not null);
        }

        return found;
    }

    private static BadInputException Missing(string name, string path, string full, bool isCompressed, bool isImage) => new(
        isCompressed ? $"{name}: requires the module {path} to be unpacked, which Limine no longer does either"
        : isImage ? $"{name}: requires the module {full}, which the image does not have"
        : $"{name}: requires the module {path}, a file beside it on its boot volume; boot an image that has both");

    /// <summary>A path from the volume's root: one without a slash in front is from the executable's folder.</summary>
    private static string Full(string executable, string path)
    {
        string whole = path.StartsWith('/') ? path : $"{executable[..(executable.LastIndexOf('/') + 1)]}{path}";
        List<string> parts = [];
        foreach (string part in whole.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == ".." && parts.Count > 0)
                parts.RemoveAt(parts.Count - 1);
            else if (part is not ("." or ".."))
                parts.Add(part);
        }

        return $"/{string.Join('/', parts)}";
    }

    /// <summary>A text that ends in a NUL; null where it does not lie in what is loaded, or does not end.</summary>
    private static string? Text(LimineImage image, ulong pointer)
    {
        if (!image.TryGetPointed(pointer, 1, out Span<byte> bytes))
            return null;
        int length = bytes[..Math.Min(bytes.Length, MostText)].IndexOf((byte)0);
        return length < 0 ? null : Encoding.UTF8.GetString(bytes[..length]);
    }

    private static ulong U64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);
}
