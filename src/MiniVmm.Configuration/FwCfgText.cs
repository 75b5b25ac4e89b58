using MiniVmm.Machine;

namespace MiniVmm.Configuration;

/// <summary>A file of fw_cfg, as QEMU has it: <c>[name=]NAME,file=FILE</c> or <c>[name=]NAME,string=TEXT</c>.</summary>
public static class FwCfgText
{
    private const int MaxName = 55;
    private const string Shape = "name=NAME,file=FILE or name=NAME,string=TEXT";

    /// <exception cref="BadInputException">It is not of that form; the message says which part.</exception>
    public static FwCfgFile Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string? name = null, file = null, content = null;
        foreach (string part in CommaList.Split(text))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            string value = part[(equals + 1)..];
            switch (equals < 0 ? "name" : part[..equals])
            {
                case "name" when name is null:
                    name = value;
                    break;
                case "file" when file is null:
                    file = value;
                    break;
                case "string" when content is null:
                    content = value;
                    break;
                case "name" or "file" or "string":
                    throw Wrong(text, $"'{part}' is one too many");
                default:
                    throw Wrong(text, $"unknown '{part}'");
            }
        }

        if (string.IsNullOrEmpty(name))
            throw Wrong(text, "the name is missing");
        if (name.Length > MaxName || name.AsSpan().ContainsAnyExceptInRange('!', '~'))
            throw Wrong(text, $"a name has up to {MaxName} characters of ASCII, and no spaces");
        if ((file is null) == (content is null))
            throw Wrong(text, "give either file= or string=");
        return file is not null && (file.Length == 0 || file.Contains('\0', StringComparison.Ordinal))
            ? throw Wrong(text, "file= names no file")
            : new FwCfgFile(name, file, content);
    }

    private static BadInputException Wrong(string text, string what) =>
        new($"{OptionName.FwCfg.With(text)}: {what}; it takes {Shape}");
}
