namespace MiniVmm.Testing;

/// <summary>What came of a test.</summary>
internal enum Verdict
{
    /// <summary>It ended as it was to, and printed what was expected.</summary>
    Pass,

    /// <summary>It says itself that it failed, or it ended or printed otherwise than was expected.</summary>
    Fail,

    /// <summary>The kernel says that it cannot go on, however the machine ended then.</summary>
    Panic,

    /// <summary>Triple fault, KVM internal error, failed entry.</summary>
    Crash,

    /// <summary>It had not ended when its time ran out.</summary>
    Timeout,

    /// <summary>It ended well and printed nothing, which proves nothing.</summary>
    Empty,

    /// <summary>It was not to run, or was allowed to skip itself.</summary>
    Skip,

    /// <summary>It was to run, and skipped itself.</summary>
    SkippedItself,

    /// <summary>It did not pass, as is known of it.</summary>
    ExpectedFailure,

    /// <summary>It passed, though it is known to fail: what is known is out of date.</summary>
    UnexpectedPass,

    /// <summary>There is no such image, or no machine can be made of it.</summary>
    Error,

    /// <summary>The host could not run it.</summary>
    HostError,

    /// <summary>The run was interrupted before or while it ran.</summary>
    NotRun,
}

/// <summary>What is decided of a test, and why in one line.</summary>
internal readonly record struct Judgement(Verdict Verdict, string Reason);

/// <summary>Verdicts by name, as reports have them.</summary>
internal static class Verdicts
{
    private static readonly (Verdict Verdict, string Word)[] Words =
    [
        (Verdict.Pass, "pass"),
        (Verdict.Fail, "fail"),
        (Verdict.Panic, "panic"),
        (Verdict.Crash, "crash"),
        (Verdict.Timeout, "timeout"),
        (Verdict.Empty, "empty"),
        (Verdict.Skip, "skip"),
        (Verdict.SkippedItself, "skipped-itself"),
        (Verdict.ExpectedFailure, "xfail"),
        (Verdict.UnexpectedPass, "xpass"),
        (Verdict.Error, "error"),
        (Verdict.HostError, "host-error"),
        (Verdict.NotRun, "not-run"),
    ];

    public static string Word(this Verdict verdict) => Words.First(known => known.Verdict == verdict).Word;

    /// <returns>False if no verdict is called so.</returns>
    public static bool TryParse(string? word, out Verdict verdict)
    {
        foreach ((Verdict known, string name) in Words)
        {
            if (name != word)
                continue;
            verdict = known;
            return true;
        }

        verdict = default;
        return false;
    }

    /// <summary>Whether a run with such a test can be green.</summary>
    public static bool IsGood(this Verdict verdict) => verdict is Verdict.Pass or Verdict.Skip or Verdict.ExpectedFailure;

    /// <summary>Whether the test ran, and shows something of the guest.</summary>
    public static bool IsOfGuest(this Verdict verdict) =>
        verdict is not (Verdict.Skip or Verdict.Error or Verdict.HostError or Verdict.NotRun);
}
