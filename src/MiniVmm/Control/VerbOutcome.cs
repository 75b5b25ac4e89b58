using System.Text.Json;

namespace MiniVmm.Control;

/// <summary>What came of asking a machine for a verb.</summary>
public sealed record VerbOutcome
{
    /// <summary>The answer's object; undefined where the verb has none.</summary>
    public JsonElement Content { get; init; }

    /// <summary>The answer for people; nothing where there is nothing to say.</summary>
    public IReadOnlyList<AnswerTable> Tables { get; init; } = [];

    /// <summary>The answer for people in one line, in place of tables.</summary>
    public string? Line { get; init; }

    /// <summary>What the machine has not done in the time that it had; null if all is done.</summary>
    public string? Shortfall { get; init; }
}

/// <summary>A table, whoever prints it. Cells are plain text, and hold what a machine says: anything.</summary>
public sealed class AnswerTable(IReadOnlyList<AnswerColumn> columns)
{
    private readonly List<IReadOnlyList<string>> _rows = [];

    public IReadOnlyList<AnswerColumn> Columns => columns;

    /// <summary>Each with a cell for every column.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Rows => _rows;

    internal void Add(params IReadOnlyList<string> cells) => _rows.Add(cells);
}

/// <summary>A column, numbers to the right.</summary>
public readonly record struct AnswerColumn(string Title, bool IsNumber = false);
