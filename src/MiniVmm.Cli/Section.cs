namespace MiniVmm.Cli;

/// <summary>A line of a list: what to write, and what it does.</summary>
/// <param name="Syntax">As in <c>-m, --mem SIZE</c>.</param>
/// <param name="Text">A phrase without a full stop.</param>
internal sealed record Entry(string Syntax, string Text);

/// <summary>A heading, what stands under it, and an example or none.</summary>
internal sealed record Section(string Title, IReadOnlyList<Entry> Entries, string? Example = null);
