namespace MiniVmm.Boot.Media;

/// <summary>
/// A limine.conf, or a limine.cfg of Limine before version 8: entries with a / or : for each level, keys with a : or a = and a
/// value, macros (Limine's CONFIG.md).
/// </summary>
internal sealed class LimineConfiguration
{
    private readonly char _entryMark;
    private readonly char _assignMark;
    private readonly Dictionary<string, string> _macros = new(StringComparer.Ordinal) { ["ARCH"] = "x86-64" };
    private readonly List<(MenuEntry Entry, int Level, bool IsExpanded)> _entries = [];
    private string? _default;

    private LimineConfiguration(bool isOld) => (_entryMark, _assignMark) = isOld ? (':', '=') : ('/', ':');

    /// <summary>Reads a configuration.</summary>
    /// <param name="text">The file.</param>
    /// <param name="isOld">Whether it is a limine.cfg.</param>
    public static BootMenu Parse(string text, bool isOld)
    {
        LimineConfiguration configuration = new(isOld);
        List<string> path = [];
        foreach (string raw in text.Split('\n'))
            configuration.Line(raw.Trim(), path);
        return configuration.Result();
    }

    private BootMenu Result()
    {
        List<MenuEntry> bootable = [];
        string? start = null;
        int wanted = int.TryParse(_default, out int number) ? Math.Max(number - 1, 0) : -1;
        int seen = 0, closed = int.MaxValue; // the level of the folder that hides what is in it
        for (int i = 0; i < _entries.Count; i++)
        {
            (MenuEntry _, int level, bool isExpanded) = _entries[i];
            bool isFolder = i + 1 < _entries.Count && _entries[i + 1].Level > level;
            if (level <= closed)
            {
                // What the menu shows at first counts, folders too; one stands for its first entry.
                if (seen++ == wanted)
                    start = $"{bootable.Count}";
                closed = isFolder && !isExpanded ? level : int.MaxValue;
            }

            if (!isFolder)
                bootable.Add(_entries[i].Entry);
        }

        // By its name, with / between a folder and what is in it.
        return new(bootable, start ?? (wanted < 0 ? _default?.Replace('/', '>') : null));
    }

    private void Line(string line, List<string> path)
    {
        if (line.Length == 0 || line[0] == '#')
            return;
        if (line[0] == _entryMark)
        {
            int level = line.TakeWhile(letter => letter == _entryMark).Count();
            bool isExpanded = line[level..].StartsWith('+');
            string title = Expand(line[level..].TrimStart('+').Trim());
            path.RemoveRange(Math.Min(level - 1, path.Count), path.Count - Math.Min(level - 1, path.Count));
            path.Add(title);
            if (_entries.Count < BootMenu.MostEntries)
                _entries.Add((new() { Title = string.Join('>', path) }, level, isExpanded));
            return;
        }

        // Macros have a = in both forms.
        if (line.StartsWith("${", StringComparison.Ordinal) && line.IndexOf("}=", StringComparison.Ordinal) is > 0 and int brace)
        {
            _macros[line[2..brace]] = Expand(line[(brace + 2)..].Trim());
            return;
        }

        int at = line.IndexOf(_assignMark, StringComparison.Ordinal);
        if (at <= 0)
            return;
        string key = line[..at].Trim().ToLowerInvariant();
        string value = line[(at + 1)..].Trim();
        if (_entries.Count == 0)
            Global(key, Expand(value));
        else
            _entries[^1] = _entries[^1] with { Entry = Local(_entries[^1].Entry, key, Expand(value)) };
    }

    private void Global(string key, string value)
    {
        if (key == "default_entry")
            _default = value;
    }

    private static MenuEntry Local(MenuEntry entry, string key, string value)
    {
        switch (key)
        {
            case "path" or "kernel_path":
                return entry with { Kernel = new(PathOf(value), entry.Kernel?.Words ?? "") };
            case "cmdline" or "kernel_cmdline":
                return entry with { Kernel = new(entry.Kernel?.Path ?? "", value) };
            case "module_path":
                // The mark of a file that Limine unpacks.
                MenuCodecs unpacked = value.StartsWith('$') ? MenuCodecs.Gzip : MenuCodecs.None;
                return entry with { Modules = [.. entry.Modules, new(PathOf(value), "", unpacked)] };
            case "module_cmdline" or "module_string" when entry.Modules.Count > 0:
                return entry with { Modules = [.. entry.Modules.Take(entry.Modules.Count - 1), entry.Modules[^1] with { Words = value }] };
            case "protocol":
                BootProtocol protocol = value.ToLowerInvariant() switch
                {
                    "limine" => BootProtocol.Limine,
                    "linux" => BootProtocol.Linux,
                    "multiboot" or "multiboot1" => BootProtocol.Multiboot,
                    "multiboot2" => BootProtocol.Multiboot2,
                    _ => BootProtocol.Any,
                };
                return entry with { Protocol = protocol, Other = protocol == BootProtocol.Any ? value : null };
            default:
                return entry;
        }
    }

    private string Expand(string value)
    {
        // Macros do not hold macros: one pass, and a text that cannot grow without end.
        foreach ((string name, string text) in _macros)
        {
            if (value.Length < 4096)
                value = value.Replace($"${{{name}}}", text, StringComparison.Ordinal);
        }

        return value;
    }

    /// <summary>A path without its resource, hash and mark of compression: boot():/kernel, boot:///kernel#hash.</summary>
    private static string PathOf(string value)
    {
        value = value.TrimStart('$');
        int hash = value.LastIndexOf('#');
        if (hash > 0)
            value = value[..hash];
        int resource = value.IndexOf("):", StringComparison.Ordinal);
        if (resource >= 0)
            return value[(resource + 2)..];
        resource = value.IndexOf("://", StringComparison.Ordinal);
        if (resource < 0)
            return value;
        int path = value.IndexOf('/', resource + 3);
        return path < 0 ? "" : value[path..];
    }
}
