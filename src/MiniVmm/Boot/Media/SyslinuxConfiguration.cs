namespace MiniVmm.Boot.Media;

/// <summary>
/// A syslinux.cfg, isolinux.cfg or extlinux.conf: labels with kernels, initial RAM disks and words, and mboot.c32's kernels with
/// modules (Syslinux's doc/syslinux.txt, menu.txt). Paths are relative to the file's folder.
/// </summary>
internal sealed class SyslinuxConfiguration
{
    private const int MostDepth = 8;

    private readonly Func<string, string?> _read;
    private readonly string _folder;
    private readonly List<MenuEntry> _entries = [];
    private string? _default;
    private string? _menuDefault;
    private string _globalAppend = "";
    private string? _append; // the last label's own
    private bool _isMultiboot;

    private SyslinuxConfiguration(string folder, Func<string, string?> read) => (_folder, _read) = (folder, read);

    /// <summary>Reads a configuration.</summary>
    /// <param name="text">The file.</param>
    /// <param name="folder">Path of its folder, with a / at the end.</param>
    /// <param name="read">Gives the text of another file of the image, or null.</param>
    public static BootMenu Parse(string text, string folder, Func<string, string?> read)
    {
        SyslinuxConfiguration configuration = new(folder, read);
        configuration.Lines(text, 0);
        configuration.Finish();
        string? start = configuration._menuDefault ?? configuration._default;
        // A default that is no label is a kernel, and words for it; those for all kernels come first.
        if (configuration._menuDefault is null && start?.Split(' ', 2) is [string kernel, .. string[] words]
            && !configuration._entries.Any(entry => entry.Id?.Equals(kernel, StringComparison.OrdinalIgnoreCase) == true)
            && !kernel.EndsWith(".c32", StringComparison.OrdinalIgnoreCase) && configuration._entries.Count == 0)
        {
            string line = string.Join(' ', words.Prepend(configuration._globalAppend).Where(part => part.Length > 0));
            configuration._entries.Add(configuration.WithWords(
                new() { Title = kernel, Id = kernel, Kernel = new(configuration.PathOf(kernel), "") }, line));
        }

        return new(configuration._entries, start?.Split(' ')[0]);
    }

    private void Lines(string text, int depth)
    {
        foreach (string raw in text.Split('\n'))
        {
            string[] parts = raw.Trim().Split((char[])[' ', '\t'], 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (parts.Length == 0 || parts[0][0] == '#')
                continue;
            string value = parts.Length > 1 ? parts[1] : "";
            string key = parts[0].ToUpperInvariant();
            if (key == "MENU")
            {
                string[] menu = value.Split((char[])[' ', '\t'], 2, StringSplitOptions.TrimEntries);
                key = $"MENU {menu[0].ToUpperInvariant()}";
                value = menu.Length > 1 ? menu[1] : "";
            }

            if (key is "INCLUDE" or "MENU INCLUDE")
            {
                if (depth < MostDepth && _read(PathOf(value.Split(' ')[0])) is { } more)
                    Lines(more, depth + 1);
            }
            else
            {
                Set(key, value);
            }
        }
    }

    private void Set(string key, string value)
    {
        if (key is "DEFAULT" or "ONTIMEOUT")
        {
            _default = key == "DEFAULT" || _default is null ? value : _default;
            return;
        }

        if (key == "LABEL")
        {
            Finish();
            if (_entries.Count < BootMenu.MostEntries)
                _entries.Add(new() { Title = value, Id = value.Split((char[])[' ', '\t'])[0] });
            (_append, _isMultiboot) = (null, false);
            return;
        }

        if (_entries.Count == 0)
        {
            // Before any label, these are the words of all that have none; an INITRD there is ignored, as in Syslinux.
            if (key == "APPEND")
                _globalAppend = value == "-" ? "" : value;
            return;
        }

        MenuEntry entry = _entries[^1];
        switch (key)
        {
            case "KERNEL" or "LINUX" or "COM32":
                _isMultiboot = value.EndsWith("mboot.c32", StringComparison.OrdinalIgnoreCase);
                bool isModule = value.EndsWith(".c32", StringComparison.OrdinalIgnoreCase);
                entry = isModule ? entry with { Other = value } : entry with { Kernel = new(PathOf(value), "") };
                break;
            case "LOCALBOOT" or "BOOT" or "BSS" or "PXE" or "FDIMAGE" or "COMBOOT" or "CONFIG" or "MENU DISABLE" or "MENU GOTO" or "MENU EXIT" or "MENU QUIT":
                entry = entry with { Other = $"{key} {value}".TrimEnd() };
                break;
            case "APPEND":
                _append = value == "-" ? "" : value; // none, whatever all have
                break;
            case "INITRD":
                entry = entry with { Initrds = [.. value.Split(',').Select(PathOf)] };
                break;
            case "MENU LABEL":
                entry = entry with { Title = value.Replace("^", "", StringComparison.Ordinal) };
                break;
            case "MENU DEFAULT":
                _menuDefault = entry.Id;
                break;
        }

        _entries[^1] = entry;
    }

    /// <summary>Brings the last label's words to its kernel.</summary>
    private void Finish()
    {
        if (_entries.Count == 0)
            return;
        MenuEntry entry = _entries[^1];
        // A label that names no kernel is the kernel's name.
        if (entry is { Kernel: null, Other: null, Id: { Length: > 0 } label })
            entry = entry with { Kernel = new(PathOf(label), "") };
        string append = _append ?? _globalAppend;
        if (_isMultiboot)
        {
            string[] files = append.Split("---", StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            if (files.Length > 0)
            {
                // mboot.c32 unpacks modules too.
                MenuFile[] parsed = [.. files.Select(file => file.Split(' ', 2) is [string path, .. string[] words]
                    ? new MenuFile(PathOf(path), words.FirstOrDefault() ?? "", MenuCodecs.Gzip) : default)];
                entry = entry with { Kernel = parsed[0], Modules = parsed[1..], Other = null, Protocol = BootProtocol.Multiboot };
            }
        }
        else
        {
            entry = WithWords(entry, append);
        }

        _entries[^1] = entry;
    }

    /// <summary>The same entry with words for its kernel, which name its initial RAM disk where no line of its own does.</summary>
    private MenuEntry WithWords(MenuEntry entry, string words)
    {
        if (entry.Kernel is not { } kernel)
            return entry;
        string? initrd = words.Split(' ').FirstOrDefault(word => word.StartsWith("initrd=", StringComparison.Ordinal));
        return entry with
        {
            Kernel = kernel with { Words = words },
            Initrds = entry.Initrds.Count == 0 && initrd is not null ? [.. initrd[7..].Split(',').Select(PathOf)] : entry.Initrds,
        };
    }

    private string PathOf(string path) => path.StartsWith('/') ? path : _folder + path;
}
