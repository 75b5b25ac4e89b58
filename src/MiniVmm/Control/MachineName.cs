using System.Buffers;

namespace MiniVmm.Control;

/// <summary>What a machine may be called: a file name that needs no quoting in any shell.</summary>
public static class MachineName
{
    /// <summary>Characters at most.</summary>
    public const int MaxLength = 64;

    private static readonly SearchValues<char> Others =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    /// <summary>The name of a machine whose user gave none, but wants it controlled.</summary>
    public static string Default => $"vm-{Environment.ProcessId}";

    public static bool IsValid(ReadOnlySpan<char> name) =>
        name.Length is > 0 and <= MaxLength && char.IsAsciiLetterOrDigit(name[0]) && !name.ContainsAnyExcept(Others);

    /// <summary>Checks what a machine is to be called.</summary>
    /// <exception cref="BadInputException">Not such a name.</exception>
    public static string Check(string name) => IsValid(name) ? name : throw Refused($"{OptionName.Name.With(Shown(name))}");

    /// <summary>Checks the name by which a running machine is asked for.</summary>
    /// <exception cref="BadInputException">No machine can have such a name.</exception>
    internal static void CheckAsked(string name)
    {
        if (!IsValid(name))
            throw Refused($"ctl {Shown(name)}");
    }

    private static string Shown(string name) => name.Length > MaxLength ? $"{name.AsSpan(0, MaxLength)}…" : name;

    private static BadInputException Refused(OptionMessage subject) => new(
        $"{subject}: not a name; write up to {MaxLength} letters, digits, '.', '_' or '-', a letter or digit first");
}
