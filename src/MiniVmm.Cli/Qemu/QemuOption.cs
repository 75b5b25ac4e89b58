namespace MiniVmm.Cli.Qemu;

/// <summary>What becomes of an option of QEMU's.</summary>
internal enum QemuTreatment
{
    /// <summary>It means the same here.</summary>
    Used,

    /// <summary>It changes nothing that a guest or a script could see.</summary>
    Accepted,

    /// <summary>It has no effect, which is said in a line.</summary>
    Ignored,

    /// <summary>A guest or a script counts on it and would not get it: an error.</summary>
    Missing,
}

/// <summary>An option of QEMU's.</summary>
/// <param name="Name">Without its dash.</param>
/// <param name="Value">What its value is, for people; empty for an option without one.</param>
/// <param name="Treatment">What becomes of it.</param>
/// <param name="Note">What it means here, or why it has no effect and what to use instead.</param>
internal sealed record QemuOption(string Name, string Value, QemuTreatment Treatment, string Note)
{
    public bool TakesValue => Value.Length > 0;
}

/// <summary>An option of a command line with its value.</summary>
/// <param name="Option">Which one.</param>
/// <param name="Spelling">As it was written: -M, --machine.</param>
/// <param name="Value">Empty where it has none.</param>
internal readonly record struct QemuWord(QemuOption Option, string Spelling, string Value)
{
    public override string ToString() => Value.Length == 0 ? Spelling : $"{Spelling} {Value}";
}
