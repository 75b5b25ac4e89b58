namespace MiniVmm.Control;

/// <summary>The vCPUs of a machine that may have more or fewer while it runs.</summary>
/// <param name="Wanted">How many were asked for last, or at the start.</param>
/// <param name="Present">How many are in the machine.</param>
/// <param name="Most">How many there can be.</param>
/// <param name="Pending">Of how many the guest has not said yet that it has taken them into use, or given them up.</param>
/// <param name="Leaving">How many are out, while the guest has not said yet that it is done with that.</param>
/// <param name="Refusals">What the guest has refused of what was asked for last.</param>
public sealed record CpusState(
    int Wanted, int Present, int Most, int Pending, int Leaving, IReadOnlyList<CpuRefusal> Refusals)
{
    /// <summary>Whether the guest has nothing more to say.</summary>
    internal bool IsSettled => Pending == 0 && Leaving == 0;

    /// <summary>Whether all is as asked for; not every guest says that it is done.</summary>
    internal bool IsDone => Pending == 0 && Present == Wanted && Refusals.Count == 0;
}

/// <summary>A vCPU that the guest does not take into use, or does not give up.</summary>
/// <param name="Vcpu">Its index.</param>
/// <param name="Insertion">Whether it was to be taken into use, not given up.</param>
/// <param name="Status">The guest's reason, a status of ACPI's _OST (ACPI 6.5, 6.3.5).</param>
public sealed record CpuRefusal(int Vcpu, bool Insertion, uint Status);
