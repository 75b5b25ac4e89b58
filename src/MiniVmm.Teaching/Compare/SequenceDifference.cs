namespace MiniVmm.Teaching.Compare;

/// <summary>Two sequences with as few rows as there can be that one has alone.</summary>
/// <remarks>E. W. Myers, An O(ND) Difference Algorithm and Its Variations, 1986: the greedy search of its figure 2.</remarks>
internal sealed class SequenceDifference
{
    /// <summary>
    /// Rows that one has alone after which no more are tried: the search keeps a number for each pair below it, and behind so many
    /// differences no row has much to do with the one beside it.
    /// </summary>
    private const int MostDifferences = 2000;

    private readonly List<ExitRun> _left;
    private readonly List<ExitRun> _right;
    private readonly List<AlignedRow> _rows = [];

    private SequenceDifference(List<ExitRun> left, List<ExitRun> right)
    {
        _left = left;
        _right = right;
    }

    /// <summary>In order.</summary>
    public IReadOnlyList<AlignedRow> Rows => _rows;

    /// <summary>The first row that was not tried any more; null if all were.</summary>
    public int? GaveUpAt { get; private set; }

    public static SequenceDifference Of(List<ExitRun> left, List<ExitRun> right, Func<ExitRun, ExitRun, bool> matches)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        ArgumentNullException.ThrowIfNull(matches);
        SequenceDifference difference = new(left, right);
        difference.Search(matches);
        return difference;
    }

    private void Search(Func<ExitRun, ExitRun, bool> matches)
    {
        List<int[]> furthest = []; // of each number of differences: how far left a path on each diagonal comes
        int most = Math.Min(_left.Count + _right.Count, MostDifferences);
        for (int differences = 0; differences <= most; differences++)
        {
            int[] now = new int[2 * differences + 1];
            int[]? before = differences == 0 ? null : furthest[differences - 1];
            furthest.Add(now);
            for (int diagonal = -differences; diagonal <= differences; diagonal += 2)
            {
                int x = before is null ? 0 : Start(before, differences, diagonal, out _);
                while (x < _left.Count && x - diagonal < _right.Count && matches(_left[x], _right[x - diagonal]))
                    x++;
                now[diagonal + differences] = x;
                if (x >= _left.Count && x - diagonal >= _right.Count)
                {
                    Trace(furthest, differences, diagonal);
                    return;
                }
            }
        }

        GiveUp(furthest, most);
    }

    /// <summary>Where a path with one difference more begins on a diagonal.</summary>
    /// <param name="before">What paths with one difference less come to.</param>
    /// <param name="differences">Of the path that begins.</param>
    /// <param name="diagonal">Its diagonal: how much further left than right it is.</param>
    /// <param name="fromRight">Whether the difference is a row of the right alone.</param>
    private static int Start(int[] before, int differences, int diagonal, out bool fromRight)
    {
        int right = At(before, differences - 1, diagonal + 1);
        int left = At(before, differences - 1, diagonal - 1);
        fromRight = right > left;
        return fromRight ? right : left + 1;
    }

    private static int At(int[] furthest, int differences, int diagonal) =>
        Math.Abs(diagonal) <= differences ? furthest[diagonal + differences] : -2;

    private void Trace(List<int[]> furthest, int differences, int diagonal)
    {
        int x = furthest[differences][diagonal + differences];
        for (; differences > 0; differences--)
        {
            int start = Start(furthest[differences - 1], differences, diagonal, out bool fromRight);
            Join(start, x, diagonal);
            if (fromRight)
            {
                _rows.Add(new(null, _right[start - diagonal - 1]));
                diagonal++;
                x = start;
            }
            else
            {
                _rows.Add(new(_left[start - 1], null));
                diagonal--;
                x = start - 1;
            }
        }

        Join(0, x, diagonal);
        _rows.Reverse();
    }

    private void Join(int start, int end, int diagonal)
    {
        for (int x = end - 1; x >= start; x--)
            _rows.Add(new(_left[x], _right[x - diagonal]));
    }

    private void GiveUp(List<int[]> furthest, int differences)
    {
        int best = -differences;
        for (int diagonal = -differences; diagonal <= differences; diagonal += 2)
        {
            if (Reach(diagonal) > Reach(best))
                best = diagonal;
        }

        int x = furthest[differences][best + differences];
        Trace(furthest, differences, best);
        GaveUpAt = _rows.Count;
        _rows.AddRange(_left.Skip(x).Select(run => new AlignedRow(run, null)));
        _rows.AddRange(_right.Skip(x - best).Select(run => new AlignedRow(null, run)));

        // How far a path is on both sides, if it has not left one: from there it could not come back.
        int Reach(int diagonal)
        {
            int left = furthest[differences][diagonal + differences];
            return left > _left.Count || left - diagonal > _right.Count ? -1 : 2 * left - diagonal;
        }
    }
}
