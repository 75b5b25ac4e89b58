using System.Buffers;

namespace MiniVmm.Control;

/// <summary>What a machine may be called: a file name that needs no quoting in any shell.</summary>
internal static class MachineName
{
    /// <summary>The longest name in characters.</summary>
    public const int MaxLength = 64;

    private static readonly SearchValues<char> Others =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    /// <summary>The name of a machine that must be controllable but was given none.</summary>
    public static string Default => $"vm-{Environment.ProcessId}";

    public static bool IsValid(ReadOnlySpan<char> name) =>
        name.Length is > 0 and <= MaxLength && char.IsAsciiLetterOrDigit(name[0]) && !name.ContainsAnyExcept(Others);

    /// <summary>Checks a new machine's name and returns it.</summary>
    /// <exception cref="BadInputException">Not a valid name.</exception>
    public static string Check(string name) => IsValid(name) ? name : throw Refused($"{OptionName.Name.With(Shown(name))}");

    /// <summary>Checks the name of a running machine that somebody asks for.</summary>
    /// <exception cref="BadInputException">No machine can have such a name.</exception>
    internal static void CheckAsked(string name)
    {
        if (!IsValid(name))
            throw Refused($"ctl {Shown(name)}");
    }

    private static string Shown(string name) => name.Length > MaxLength ? $"{name.AsSpan(0, MaxLength)}…" : name;

    private static BadInputException Refused(OptionMessage subject) => new(
        $"{subject}: not a valid name; use up to {MaxLength} letters, digits, '.', '_' or '-', a letter or digit first");
}
