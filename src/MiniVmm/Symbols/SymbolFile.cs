using System.Text;
using MiniVmm.Boot;
using MiniVmm.Memory;

namespace MiniVmm.Symbols;

/// <summary>A file that names a kernel's functions, which the kernel's own file need not do: an ELF file, as vmlinux, or a System.map.</summary>
internal sealed class SymbolFile : IDisposable
{
    private const string KernelOf = "vmlinuz-";
    private const string MapOf = "System.map-";
    private const int LongestBanner = 512;

    private readonly string _path;
    private readonly NativeBuffer _file;

    private SymbolFile(string path)
    {
        _path = path;
        bool isElf = InputFile.TryReadStart(path, most: 4, out long length) is { } start && ElfFile.HasMagic(start);
        if (!isElf && length > SystemMap.LargestFile)
        {
            throw new BadInputException($"{OptionName.Symbols.With(path)}: is no ELF file, and for a System.map {ByteSize.Format((ulong)length)} "
                + $"are too many: at most {ByteSize.Format((ulong)SystemMap.LargestFile)}");
        }

        _file = InputFile.Read(path, OptionName.Symbols);
        try
        {
            if (isElf)
                Sections = ElfSections.Of(_file.Memory);
            if (Sections is null)
                Map = SystemMap.Parse(_file.Memory, path);
            else
                Names = ElfSymbols.Find(_file.Memory, Sections) ?? throw new BadInputException($"{OptionName.Symbols.With(path)}: an ELF file without symbols");
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>Of an ELF file.</summary>
    public ElfSections? Sections { get; }

    /// <summary>Of an ELF file.</summary>
    public ElfSymbols? Names { get; }

    /// <summary>Of any other.</summary>
    public SystemMap? Map { get; }

    /// <summary>The file that the user named, or a kernel's System.map; what cannot be read now, has nothing to tell.</summary>
    /// <param name="named">The former; null for none.</param>
    /// <param name="kernel">The kernel's file; null for none that needs it.</param>
    public static SymbolFile? Find(string? named, string? kernel)
    {
        try
        {
            return (named ?? (kernel is null ? null : Beside(kernel))) is { } path ? new(path) : null;
        }
        catch (VmmException)
        {
            return null;
        }
    }

    /// <summary>Whether symbols can be had from a file.</summary>
    /// <exception cref="BadInputException">Not there, or without symbols.</exception>
    /// <exception cref="HostLimitException">The host has no memory for it.</exception>
    public static void Check(string path) => new SymbolFile(path).Dispose();

    /// <summary>
    /// What a Linux kernel that this is the file of has at linux_banner: an ELF file loads it; the version may be in a map's name.
    /// </summary>
    /// <param name="address">Its address as linked.</param>
    public ReadOnlyMemory<byte> Banner(ulong address)
    {
        if (Names is not null && Names.LoadedAt(address) is var loaded && loaded.Span.StartsWith(LinuxPlace.AnyText))
        {
            int length = loaded.Span[..Math.Min(loaded.Length, LongestBanner)].IndexOf((byte)'\n');
            if (length > 0)
                return loaded[..length];
        }

        string name = Path.GetFileName(_path);
        return name.StartsWith(MapOf, StringComparison.Ordinal) ? (byte[])[.. LinuxPlace.AnyText, .. Encoding.UTF8.GetBytes($"{name[MapOf.Length..]} ")]
            : LinuxPlace.AnyText.ToArray();
    }

    public void Dispose() => _file.Dispose();

    /// <summary>As distributions have it: /boot/System.map-6.1.0-amd64 beside /boot/vmlinuz-6.1.0-amd64.</summary>
    private static string? Beside(string kernel)
    {
        string name = Path.GetFileName(kernel);
        if (!name.StartsWith(KernelOf, StringComparison.Ordinal))
            return null;
        string map = Path.Combine(Path.GetDirectoryName(kernel) ?? "", $"{MapOf}{name[KernelOf.Length..]}");
        return File.Exists(map) ? map : null;
    }
}
