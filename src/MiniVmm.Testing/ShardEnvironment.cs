namespace MiniVmm.Testing;

/// <summary>A part of a run, and who says that it is this one.</summary>
/// <param name="Shard">The part.</param>
/// <param name="Source">The variable that says so.</param>
internal readonly record struct NamedShard(Shard Shard, string Source);

/// <summary>
/// Which part of a run this is by the variables of whoever started it: Slurm's job arrays (sbatch(1)), Kubernetes' indexed
/// jobs, GitLab's <c>parallel</c>. GitHub's matrices set none.
/// </summary>
internal static class ShardEnvironment
{
    private const string SlurmId = "SLURM_ARRAY_TASK_ID";
    private const string SlurmCount = "SLURM_ARRAY_TASK_COUNT";
    private const string SlurmFirst = "SLURM_ARRAY_TASK_MIN";
    private const string SlurmLast = "SLURM_ARRAY_TASK_MAX";
    private const string SlurmStep = "SLURM_ARRAY_TASK_STEP";
    private const string KubernetesIndex = "JOB_COMPLETION_INDEX";
    private const string GitLabIndex = "CI_NODE_INDEX";
    private const string GitLabCount = "CI_NODE_TOTAL";

    /// <summary>Reads the variables.</summary>
    /// <param name="variable">A variable's value; null where it is not set.</param>
    /// <param name="count">How many parts there are, where only the index is in the environment.</param>
    /// <returns>Null where none is set.</returns>
    /// <exception cref="BadInputException">They do not make sense, or two of these systems set theirs.</exception>
    public static NamedShard? Find(Func<string, string?> variable, int? count)
    {
        NamedShard[] found = [.. new[] { Slurm(variable), Kubernetes(variable, count), GitLab(variable) }.OfType<NamedShard>()];
        return found switch
        {
            [] => null,
            [var only] => only,
            [var first, var second, ..] => throw new BadInputException(
                $"{first.Source} and {second.Source} are both set, and only one of them can be meant; say which part this is"),
        };
    }

    /// <summary>--array=0-3, 1-8:2, 0-99%10: the ids are MIN, MIN + STEP, …, MAX.</summary>
    private static NamedShard? Slurm(Func<string, string?> variable)
    {
        if (variable(SlurmId) is not { Length: > 0 } text)
            return null;
        int id = Number(SlurmId, text);
        int first = Number(SlurmFirst, variable(SlurmFirst) ?? "0");
        int step = Number(SlurmStep, variable(SlurmStep) ?? "1");
        int count = Number(SlurmCount, variable(SlurmCount));
        int last = Number(SlurmLast, variable(SlurmLast) ?? text);
        bool isEven = step > 0 && last >= first && (last - first) % step == 0;
        if (variable(SlurmLast) is not null && (!isEven || (last - first) / step != count - 1))
        {
            throw new BadInputException(
                $"{SlurmId} {id}: the array's ids are not evenly spaced ({count} from {first} to {last} by {step}); "
                + "use an array such as 0-3, or say which part this is");
        }

        return Of(SlurmId, (id - first) / Math.Max(step, 1), count, (id - first) % Math.Max(step, 1) == 0);
    }

    private static NamedShard? Kubernetes(Func<string, string?> variable, int? count)
    {
        if (variable(KubernetesIndex) is not { Length: > 0 } text)
            return null;
        return Of(
            KubernetesIndex,
            Number(KubernetesIndex, text),
            count ?? throw new BadInputException(
                $"{KubernetesIndex} {text}: Kubernetes does not tell how many completions the job has; give the number of shards"));
    }

    private static NamedShard? GitLab(Func<string, string?> variable) =>
        variable(GitLabIndex) is { Length: > 0 } text
            ? Of(GitLabIndex, Number(GitLabIndex, text) - 1, Number(GitLabCount, variable(GitLabCount)))
            : null;

    private static NamedShard Of(string source, int index, int count, bool isOne = true) =>
        isOne && index >= 0 && index < count && count <= Shard.Most
            ? new(new(index + 1, count), source)
            : throw new BadInputException($"{source}: it makes part {index + 1L} of {count}, which there is not");

    private static int Number(string name, string? text) => text switch
    {
        null => throw new BadInputException($"{name} is not set, though its companion is; say which part this is"),
        _ when Shard.TryNumber(text, out int number) => number,
        _ => throw new BadInputException($"{name} {text}: not a number"),
    };
}
