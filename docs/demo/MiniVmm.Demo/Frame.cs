namespace MiniVmm.Demo;

/// <summary>A terminal's screen from a time on, in seconds.</summary>
/// <param name="Rows">Each row as pieces of one look, blank ones left out.</param>
/// <param name="CursorColumn">Where the cursor is, from 0; -1 where it is not shown.</param>
internal sealed record Frame(double Time, IReadOnlyList<IReadOnlyList<Piece>> Rows, int CursorColumn, int CursorRow);

/// <summary>Characters of one look, beside each other.</summary>
internal readonly record struct Piece(int Column, string Text, Look Look);

/// <summary>Colours, as six hexadecimal digits or null for the terminal's own, and weight.</summary>
internal readonly record struct Look(string? Foreground, string? Background, bool Bold);
