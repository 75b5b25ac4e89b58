namespace MiniVmm.Tools.Top;

/// <summary>Values as a line of blocks, one letter each.</summary>
internal static class Sparkline
{
    private const string Blocks = " ▁▂▃▄▅▆▇█";

    /// <summary>The last values, the largest of them as a whole block; nothing is a blank.</summary>
    /// <param name="values">The oldest first; none below 0.</param>
    /// <param name="width">Letters.</param>
    public static string Of(IReadOnlyList<double> values, int width)
    {
        double most = 0;
        int first = Math.Max(values.Count - width, 0);
        for (int i = first; i < values.Count; i++)
            most = Math.Max(most, values[i]);
        return string.Create(width, (values, first, most), static (line, state) =>
        {
            line.Fill(' ');
            int count = state.values.Count - state.first;
            for (int i = 0; i < count; i++)
            {
                double value = state.values[state.first + i];
                int step = state.most > 0 ? (int)Math.Ceiling(value / state.most * (Blocks.Length - 1)) : 0;
                line[line.Length - count + i] = Blocks[Math.Clamp(step, 0, Blocks.Length - 1)];
            }
        });
    }
}
