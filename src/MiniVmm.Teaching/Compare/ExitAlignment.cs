namespace MiniVmm.Teaching.Compare;

/// <summary>A row of two sequences beside each other: what one alone did has nothing on the other side.</summary>
internal readonly record struct AlignedRow(ExitRun? MiniVmm, ExitRun? Qemu)
{
    /// <summary>= the same; ~ the same access with other values, or another number of times; &lt; MiniVmm's alone; &gt; QEMU's alone.</summary>
    public char Mark => (MiniVmm, Qemu) switch
    {
        (null, _) => '>',
        (_, null) => '<',
        ({ } left, { } right) => left.IsEqual(right) ? '=' : '~',
    };
}

/// <summary>Two monitors' exits of a vCPU beside each other: first what is equal, then, in between, what differs in values alone.</summary>
internal sealed class ExitAlignment
{
    private readonly List<AlignedRow> _rows = [];

    private ExitAlignment()
    {
    }

    /// <summary>In order.</summary>
    public IReadOnlyList<AlignedRow> Rows => _rows;

    /// <summary>From which row on the two were too different to be put beside each other; null if they never were.</summary>
    public int? GaveUpAt { get; private set; }

    public static ExitAlignment Of(IEnumerable<ComparedExit> miniVmm, IEnumerable<ComparedExit> qemu)
    {
        List<ExitRun> left = ExitRun.Of(miniVmm);
        List<ExitRun> right = ExitRun.Of(qemu);
        ExitAlignment alignment = new();
        SequenceDifference equal = SequenceDifference.Of(left, right, (a, b) => a.IsEqual(b));
        if (equal.GaveUpAt is null)
            alignment.AddBetween(equal.Rows);
        else
            alignment.Add(left, right); // values of which none recurs, such as a clock's
        return alignment;
    }

    private void AddBetween(IReadOnlyList<AlignedRow> rows)
    {
        List<ExitRun> left = [];
        List<ExitRun> right = [];
        foreach (AlignedRow row in rows)
        {
            if (row is { MiniVmm: not null, Qemu: not null })
            {
                Add(left, right);
                left.Clear();
                right.Clear();
                _rows.Add(row);
            }
            else if (row.MiniVmm is { } own)
            {
                left.Add(own);
            }
            else
            {
                right.Add(row.Qemu!);
            }
        }

        Add(left, right);
    }

    private void Add(List<ExitRun> left, List<ExitRun> right)
    {
        SequenceDifference like = SequenceDifference.Of(left, right, (a, b) => a.IsLike(b));
        if (like.GaveUpAt is { } row)
            GaveUpAt ??= _rows.Count + row;
        _rows.AddRange(like.Rows);
    }
}
