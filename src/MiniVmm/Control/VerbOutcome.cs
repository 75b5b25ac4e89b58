using System.Text.Json;

namespace MiniVmm.Control;

/// <summary>The result of a request, for the client.</summary>
internal sealed record VerbOutcome
{
    /// <summary>The answer's object; undefined if the verb has none.</summary>
    public JsonElement Content { get; init; }

    /// <summary>The answer for people; empty if there is nothing to say.</summary>
    public IReadOnlyList<AnswerTable> Tables { get; init; } = [];

    /// <summary>The answer for people in one line, instead of tables.</summary>
    public string? Line { get; init; }

    /// <summary>What the machine has not done in the time it had; null if everything is done.</summary>
    public string? Shortfall { get; init; }

    /// <summary>Whether there is anything to say as JSON.</summary>
    public bool HasJson => Content.ValueKind == JsonValueKind.Object || Shortfall is not null;

    /// <summary>The answer's object, and in it what the machine has not done.</summary>
    public void WriteTo(Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartObject();
        if (Content.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty member in Content.EnumerateObject())
                member.WriteTo(writer);
        }

        if (Shortfall is not null)
            writer.WriteString("shortfall", Shortfall);
        writer.WriteEndObject();
    }
}

/// <summary>A table to be printed. Cells are plain text that a machine sent, so they may hold anything.</summary>
internal sealed class AnswerTable(IReadOnlyList<AnswerColumn> columns)
{
    private readonly List<IReadOnlyList<string>> _rows = [];

    public IReadOnlyList<AnswerColumn> Columns => columns;

    /// <summary>The rows, each with a cell for every column.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Rows => _rows;

    internal void Add(params IReadOnlyList<string> cells) => _rows.Add(cells);
}

/// <summary>A column; numbers are aligned to the right.</summary>
internal readonly record struct AnswerColumn(string Title, bool IsNumber = false);
