namespace MiniVmm.Tests;

/// <summary>What code allocates once it has run for a while.</summary>
internal static class Allocations
{
    private const int Rounds = 10;
    private const int Times = 100;

    /// <summary>
    /// The least of several rounds: what the runtime allocates once, such as the event of a lock that is contended for the first
    /// time, can fall into any of them.
    /// </summary>
    /// <param name="once">Runs the code, and says how many bytes this thread allocated in it.</param>
    /// <returns>Bytes of a hundred runs.</returns>
    public static long Steady(Func<long> once) =>
        Enumerable.Range(0, Rounds).Min(_ => Enumerable.Range(0, Times).Sum(_ => once()));
}
