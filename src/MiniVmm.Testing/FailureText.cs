namespace MiniVmm.Testing;

/// <summary>What a line of a guest's says of the test.</summary>
internal enum LineMeaning
{
    None,

    /// <summary>Something passed.</summary>
    Success,

    /// <summary>Something was left out.</summary>
    Skip,

    /// <summary>A test or a check failed.</summary>
    Failure,

    /// <summary>The kernel cannot go on.</summary>
    Panic,
}

/// <summary>
/// Tells lines by which kernels and their tests say that something is wrong: those of Linux, of kernels in Rust, of
/// kvm-unit-tests, KUnit and kselftest, and words that everybody uses. Pure. TAP has rules of its own (<see cref="TapText"/>).
/// </summary>
internal static class FailureText
{
    private static readonly string[] PanicWords = ["PANIC", "BUG:", "Oops:", "FATAL ERROR", "kernel BUG"];

    private static readonly string[] PanicPhrases =
    [
        "kernel panic", "panic:", "panicked at", "panicked:", "has panicked", "fatal error", "stack smashing detected",
        "Unable to handle kernel", "unhandled exception", "unhandled interrupt", "unhandled trap", "unhandled fault",
        "unhandled page fault", "unhandled cpu exception",
    ];

    private static readonly string[] FailureWords = ["FAIL", "FAILED", "FAILURE", "FAILURES", "FAILS"];

    private static readonly string[] FailurePhrases = ["test failed", "tests failed", "assertion failed", "assert failed", "check failed"];

    private static readonly string[] SuccessWords = ["pass", "passed", "ok", "success", "succeeded"];

    /// <summary>Words of which one stands in a line that counts failures of tests, rather than some device's.</summary>
    private static readonly string[] Context =
        ["pass", "passed", "test", "tests", "total", "totals", "ok", "summary", "result", "results", "unexpected"];

    /// <summary>What a line means; one that means several things, the worst of them.</summary>
    public static LineMeaning Of(ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> message = LogLine.Message(line);
        if (IsPanic(message))
            return LineMeaning.Panic;
        if (IsFailure(message))
            return LineMeaning.Failure;
        if (IsSkip(message))
            return LineMeaning.Skip;
        foreach (string word in SuccessWords)
        {
            if (LogLine.HasWordOfAnyCase(message, word))
                return LineMeaning.Success;
        }

        return LineMeaning.None;
    }

    private static bool IsPanic(ReadOnlySpan<char> message)
    {
        foreach (string word in PanicWords)
        {
            if (LogLine.HasWord(message, word))
                return true;
        }

        foreach (string phrase in PanicPhrases)
        {
            if (LogLine.HasWordOfAnyCase(message, phrase))
                return true;
        }

        // Also a phrase of handlers that are set up; as an event it goes on with an address or an error code.
        const string protection = "general protection fault";
        int at = message.IndexOf(protection, StringComparison.OrdinalIgnoreCase);
        return at >= 0 && message[(at + protection.Length)..] is [':' or ',', ..];
    }

    private static bool IsFailure(ReadOnlySpan<char> message)
    {
        if (IsNamedResult(message))
            return false;
        if (message.StartsWith("Bail out!", StringComparison.OrdinalIgnoreCase))
            return true;
        foreach (string word in FailureWords)
        {
            for (int at = 0; (at = LogLine.IndexOfWord(message, word, StringComparison.Ordinal, at)) >= 0; at += word.Length)
            {
                if (CountsSome(message, at, at + word.Length) ?? true)
                    return true;
            }
        }

        foreach (string phrase in FailurePhrases)
        {
            int at = LogLine.IndexOfWord(message, phrase, StringComparison.OrdinalIgnoreCase);
            if (at >= 0 && !IsNone(message, at) && (CountsSome(message, at, at + phrase.Length) ?? true))
                return true;
        }

        int assertion = message.IndexOf("assertion", StringComparison.OrdinalIgnoreCase);
        return LogLine.Has(message, "[failed]") || LogLine.Has(message, "[fail]")
            || (assertion >= 0 && LogLine.HasWord(message[assertion..], "failed"))
            || (HasContext(message) && HasCount(message));
    }

    /// <summary>A result whose name may hold any word: TAP's, which has rules of its own, and "PASS: name".</summary>
    private static bool IsNamedResult(ReadOnlySpan<char> message)
    {
        const string pass = "PASS:";
        if (message.StartsWith(pass, StringComparison.Ordinal))
            return message[pass.Length..].TrimStart() is not [>= '0' and <= '9', ..];
        if (message.StartsWith("not ok", StringComparison.Ordinal))
            return message.Length == 6 || message[6] == ' ';
        return message is ['o', 'k', ' ', >= '0' and <= '9', ..];
    }

    private static bool IsSkip(ReadOnlySpan<char> message)
    {
        foreach (string word in (ReadOnlySpan<string>)["SKIP", "SKIPPED"])
        {
            int at = LogLine.IndexOfWord(message, word, StringComparison.Ordinal);
            if (at >= 0 && (CountsSome(message, at, at + word.Length) ?? true))
                return true;
        }

        return IsAllSkipped(message);
    }

    /// <summary>"SUMMARY: 3 tests, 3 skipped" (kvm-unit-tests).</summary>
    private static bool IsAllSkipped(ReadOnlySpan<char> message)
    {
        int tests = LogLine.IndexOfWord(message, "tests", StringComparison.Ordinal);
        int skipped = LogLine.IndexOfWord(message, "skipped", StringComparison.Ordinal);
        return tests >= 0 && skipped >= 0 && LogLine.NumberBefore(message, tests) is { } all
            && LogLine.NumberBefore(message, skipped) == all;
    }

    /// <summary>Small letters: "3 failed", "2 unexpected failures", "fail:1", in a line that speaks of tests.</summary>
    private static bool HasCount(ReadOnlySpan<char> message)
    {
        const string stem = "fail";
        for (int at = 0; at < message.Length; at++)
        {
            int found = message[at..].IndexOf(stem, StringComparison.OrdinalIgnoreCase);
            if (found < 0)
                return false;
            at += found;
            int end = at;
            while (end < message.Length && char.IsAsciiLetter(message[end]))
                end++;
            ReadOnlySpan<char> before = message[..at];
            if (before.EndsWith("unexpected ", StringComparison.OrdinalIgnoreCase))
                before = before[..^"unexpected ".Length];
            bool begins = at == 0 || !char.IsAsciiLetter(message[at - 1]); // not xfail
            if (begins && CountsSome(message, before.Length, end) == true)
                return true;
            at = end;
        }

        return false;
    }

    /// <summary>Whether a word has a count beside it that is not 0; null if it has none.</summary>
    private static bool? CountsSome(ReadOnlySpan<char> message, int at, int end) =>
        (LogLine.CountAfter(message, end) ?? LogLine.NumberBefore(message, at)) is { } count ? count != 0 : null;

    private static bool IsNone(ReadOnlySpan<char> message, int at) =>
        LogLine.HasWordOfAnyCase(message[..at], "no") || LogLine.HasWordOfAnyCase(message[..at], "none");

    private static bool HasContext(ReadOnlySpan<char> message)
    {
        foreach (string word in Context)
        {
            if (LogLine.HasWordOfAnyCase(message, word))
                return true;
        }

        return false;
    }
}
