using System.Buffers;

namespace MiniVmm.Control;

/// <summary>What a machine may be called: a file's name without surprises, the same in every shell.</summary>
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

    /// <param name="name">What a machine is to be called.</param>
    /// <param name="origin">Where the name comes from, which the error begins with.</param>
    /// <exception cref="BadInputException">Not such a name.</exception>
    public static string Check(string name, OptionMessage origin)
    {
        if (IsValid(name))
            return name;
        string shown = name.Length > MaxLength ? $"{name.AsSpan(0, MaxLength)}…" : name;
        throw new BadInputException(
            $"{origin} {shown}: not a name; write up to {MaxLength} letters, digits, '.', '_' or '-', a letter or "
            + $"digit first");
    }
}
