namespace MiniVmm.Teaching.Compare;

/// <summary>Exits of a vCPU in a row that differ in their values alone, such as a line sent to a serial port.</summary>
/// <param name="Exits">At least one.</param>
internal sealed record ExitRun(IReadOnlyList<ComparedExit> Exits)
{
    private const int MostLetters = 24;

    public ComparedExit First => Exits[0];

    /// <summary>Gathers a vCPU's exits.</summary>
    public static List<ExitRun> Of(IEnumerable<ComparedExit> exits)
    {
        ArgumentNullException.ThrowIfNull(exits);
        List<ExitRun> runs = [];
        List<ComparedExit> run = [];
        foreach (ComparedExit exit in exits)
        {
            if (run.Count > 0 && !run[0].IsLike(exit))
            {
                runs.Add(new(run));
                run = [];
            }

            run.Add(exit);
        }

        if (run.Count > 0)
            runs.Add(new(run));
        return runs;
    }

    public bool IsLike(ExitRun other) => First.IsLike(other.First);

    /// <summary>Whether values and numbers are the same, too.</summary>
    public bool IsEqual(ExitRun other)
    {
        if (!IsLike(other) || Exits.Count != other.Exits.Count)
            return false;
        for (int i = 0; i < Exits.Count; i++)
        {
            if ((Exits[i].Value, Exits[i].Count) != (other.Exits[i].Value, other.Exits[i].Count))
                return false;
        }

        return true;
    }

    /// <summary>As in <c>out 3f8 "Hello from" ×10</c> or <c>in 3fd 60</c>.</summary>
    public override string ToString()
    {
        string number = Exits.Count > 1 ? $" ×{Exits.Count}" : First.Count > 1 ? $", {First.Count} items" : "";
        return First.IsAccess ? $"{First} {Letters() ?? Values()}{number}" : $"{First}{number}";
    }

    private string Values() => First.Value.ToString($"x{First.Size * 2}", System.Globalization.CultureInfo.InvariantCulture)
        + (Exits.Any(exit => exit.Value != First.Value) ? "…" : "");

    /// <summary>What is written, where it is a text; null where it is not.</summary>
    private string? Letters()
    {
        if (!First.IsWrite || First.Size != 1 || Exits.Count < 2 || !Exits.All(exit => exit.Value is (>= ' ' and <= '~') or '\n' or '\r' or '\t'))
            return null;
        string text = string.Concat(Exits.Take(MostLetters + 1).Select(exit => exit.Value switch
        {
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            ulong letter => $"{(char)letter}",
        }));
        return text.Length > MostLetters ? $"\"{text[..MostLetters]}…\"" : $"\"{text}\"";
    }
}
