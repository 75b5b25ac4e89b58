using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace MiniVmm.Guest.Tests;

/// <summary>What comes true in its own time: a test that waits in vain fails, and says for what.</summary>
internal static class Eventually
{
    public static Task UntilAsync(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string what = "") =>
        UntilAsync(() => Task.FromResult(condition()), what);

    public static async Task UntilAsync(Func<Task<bool>> condition, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.True(waited.Elapsed < Transcript.Deadline, $"Not within {Transcript.Deadline.TotalSeconds} s: {what}");
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }
    }
}
