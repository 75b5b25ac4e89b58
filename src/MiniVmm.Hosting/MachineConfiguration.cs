using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using MiniVmm.Configuration;

namespace MiniVmm.Hosting;

/// <summary>
/// Reads a machine's section of a configuration, key by key: nothing is found by reflection. What it cannot understand
/// becomes a problem of the options, so that validation reports all of them together.
/// </summary>
/// <param name="machine">The service's name.</param>
/// <param name="section">The machine's section; null where there is no configuration.</param>
internal sealed class MachineConfiguration(string machine, IConfiguration? section)
    : IConfigureNamedOptions<VirtualMachineOptions>
{
    /// <summary>The section that holds all machines.</summary>
    public const string Root = "VirtualMachines";

    private static readonly Dictionary<string, Action<VirtualMachineOptions, string>> HostingKeys =
        new(StringComparer.OrdinalIgnoreCase)
        {
            [nameof(VirtualMachineOptions.Restart)] = (options, text) => options.Restart = Policy(text),
            [nameof(VirtualMachineOptions.RestartDelay)] = (options, text) => options.RestartDelay = Seconds(text),
            [nameof(VirtualMachineOptions.MaxRestartDelay)] = (options, text) => options.MaxRestartDelay = Seconds(text),
            [nameof(VirtualMachineOptions.StableAfter)] = (options, text) => options.StableAfter = Seconds(text),
            [nameof(VirtualMachineOptions.Patience)] = (options, text) => options.Patience = Seconds(text),
            [nameof(VirtualMachineOptions.HungAfter)] = (options, text) => options.HungAfter = Seconds(text),
        };

    private static readonly string[] Keys = [.. Enum.GetNames<OptionName>(), .. HostingKeys.Keys];

    /// <summary>How a message names an option to whoever wrote the configuration.</summary>
    public static Func<NamedOption, string> SpellingFor(string machine) => option =>
        option.Value is null ? $"{Root}:{machine}:{option.Name}" : $"{Root}:{machine}:{option.Name} {option.Value}";

    public void Configure(VirtualMachineOptions options) => Configure(Options.DefaultName, options);

    public void Configure(string? name, VirtualMachineOptions options)
    {
        if (name != machine)
            return;
        foreach (IConfigurationSection child in section?.GetChildren() ?? [])
            Read(child, options);
    }

    private void Read(IConfigurationSection child, VirtualMachineOptions options)
    {
        string key = child.Key.Replace("-", "", StringComparison.Ordinal); // mem-path, too
        try
        {
            if (HostingKeys.TryGetValue(key, out Action<VirtualMachineOptions, string>? set))
                set(options, Only(child));
            else if (Enum.TryParse(key, ignoreCase: true, out OptionName name) && !char.IsAsciiDigit(key[0]))
                Set(options, name, child);
            else
                options.AddProblem($"{Root}:{machine}:{child.Key}: there is no such option{Nearest(key)}");
        }
        catch (BadInputException e)
        {
            options.AddProblem(e.Text.Spelled(SpellingFor(machine)));
        }
        catch (FormatException e)
        {
            options.AddProblem($"{Root}:{machine}:{child.Key}: {e.Message}");
        }
    }

    private static void Set(VirtualMachineOptions options, OptionName name, IConfigurationSection child)
    {
        if (name is not (OptionName.Disk or OptionName.Net or OptionName.Device or OptionName.Module))
        {
            options.Set(name, Only(child));
            return;
        }

        if (child.Value is { Length: > 0 } single)
            options.Set(name, single);
        foreach (IConfigurationSection item in child.GetChildren())
            options.Set(name, Only(item));
    }

    private static string Only(IConfigurationSection child) => child.GetChildren().Any()
        ? throw new FormatException("takes one value, as a command line has it")
        : child.Value ?? "";

    private static RestartPolicy Policy(string text) => text switch
    {
        "never" => RestartPolicy.Never,
        "on-failure" => RestartPolicy.OnFailure,
        "always" => RestartPolicy.Always,
        _ => throw new FormatException($"{text} is no policy; write never, on-failure or always"),
    };

    private static TimeSpan Seconds(string text) => SecondsText.TryParse(text, out TimeSpan time)
        ? time
        : throw new FormatException($"{text} is not a number of seconds, such as 10 or 0.5");

    private static string Nearest(string key)
    {
        string? near = Keys.FirstOrDefault(known => known.Equals(key, StringComparison.OrdinalIgnoreCase))
            ?? Spelling.Closest(key, Keys);
        return near is null ? $"; there are {string.Join(", ", Keys)}" : $"; is it {near}?";
    }
}
