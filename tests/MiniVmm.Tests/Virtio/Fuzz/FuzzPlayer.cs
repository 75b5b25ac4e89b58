using System.Runtime.ExceptionServices;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>How far a run got; another thread may look.</summary>
public sealed class FuzzTrace
{
    /// <summary>Bytes of the input that were read.</summary>
    public volatile int Read;

    /// <summary>Where in the input each step begins.</summary>
    public List<int> Steps { get; } = [];

    /// <summary>Steps for as long as there is input.</summary>
    /// <param name="input">What the steps read.</param>
    /// <param name="handsOver">Whether another device takes over before a step, by its number; null is never.</param>
    /// <param name="handOver">How it takes over.</param>
    /// <param name="step">One step, with what is checked after it.</param>
    internal void Play(FuzzInput input, Func<int, bool>? handsOver, Action handOver, Action step)
    {
        while (!input.IsEmpty)
        {
            Read = input.Position;
            if (handsOver is not null && handsOver(Steps.Count))
                handOver();
            Steps.Add(input.Position);
            step();
        }

        Read = input.Position;
    }
}

/// <summary>Plays inputs on a subject; of one that fails it says what is wrong, and how little is enough.</summary>
/// <param name="target">What to play on.</param>
/// <param name="handsOver">Whether another device takes over before a step; null is never.</param>
internal sealed class FuzzPlayer(FuzzSubject target, Func<int, bool>? handsOver = null)
{
    // A replay takes a millisecond or so.
    private const int MostReplays = 3000;

    // For one input: what takes so long never ends.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private FuzzTrace _trace = new();
    private byte[] _input = [];
    private string _origin = "";
    private string _failure = "the device does not come back";
    private long _replays;

    public static bool Fails(FuzzSubject target, byte[] input) => new FuzzPlayer(target).Try(input) is not null;

    /// <summary>Plays one after the other, on a thread of its own: a device that hangs fails the test only.</summary>
    /// <exception cref="FuzzException">One fails.</exception>
    public FuzzCounts Play(IEnumerable<(string Origin, byte[] Input)> inputs)
    {
        FuzzCounts sum = default;
        Exception? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                foreach ((string origin, byte[] input) in inputs)
                {
                    _origin = origin;
                    sum = sum.With(PlayOne(input));
                }
            }
            catch (Exception wrong)
            {
                failure = wrong;
            }
        })
        { IsBackground = true, Name = "fuzz" };
        thread.Start();
        long seen = -1;
        while (!thread.Join(Patience))
        {
            if (Interlocked.Read(ref _replays) == seen)
                throw new FuzzException(Describe(_input[..Math.Min(_trace.Read, _input.Length)]));
            seen = Interlocked.Read(ref _replays);
        }

        if (failure is not null)
            ExceptionDispatchInfo.Throw(failure);
        return sum;
    }

    /// <summary>Takes out steps, then bytes, then what bytes say, for as long as it still fails.</summary>
    public byte[] Shorten(byte[] input)
    {
        long end = _replays + MostReplays;
        if (Try(input) is null)
            return input;
        FuzzTrace trace = _trace;
        input = input[..trace.Read];
        for (int count = trace.Steps.Count; count > 0; count /= 2)
        {
            int at = trace.Steps.Count;
            while ((at = Math.Min(at, trace.Steps.Count) - count) >= 0 && _replays < end)
            {
                int to = at + count < trace.Steps.Count ? trace.Steps[at + count] : input.Length;
                if (Without(ref input, trace.Steps[at], to))
                    trace = _trace;
            }
        }

        for (int count = 16; count > 0; count /= 2)
        {
            int at = input.Length;
            while ((at = Math.Min(at, input.Length) - count) >= 0 && _replays < end)
                Without(ref input, at, at + count);
        }

        for (int at = 0; at < input.Length && _replays < end; at++)
        {
            byte[] plain = [.. input];
            plain[at] = 0;
            if (input[at] != 0 && Try(plain) is not null)
                input = plain[..Math.Min(_trace.Read, plain.Length)];
        }

        return input;
    }

    private FuzzCounts PlayOne(byte[] input)
    {
        try
        {
            return Run(input);
        }
        catch (Exception failure)
        {
            _failure = Name(failure);
            byte[] shortest = Shorten(input);
            _failure = Name(Try(shortest) ?? failure);
            throw new FuzzException(Describe(shortest));
        }
    }

    private string Describe(byte[] input) =>
        $"{target.Name}: {_failure}\nFound by {_origin}; keep as Corpus/{target.Name}-WHAT.txt:\n"
        + Convert.ToHexStringLower(input);

    /// <summary>What the fuzzer says; of what the device threw, also where.</summary>
    private static string Name(Exception failure) => failure is FuzzException
        ? failure.Message
        : $"{failure.GetType().Name}: {failure.Message}\n"
            + string.Join('\n', failure.StackTrace?.Split('\n').Take(4) ?? []);

    private bool Without(ref byte[] input, int from, int to)
    {
        byte[] less = [.. input[..from], .. input[to..]];
        if (Try(less) is null)
            return false;
        input = less[..Math.Min(_trace.Read, less.Length)];
        return true;
    }

    private Exception? Try(byte[] input)
    {
        try
        {
            Run(input);
            return null;
        }
        catch (Exception failure)
        {
            return failure;
        }
    }

    private FuzzCounts Run(byte[] input)
    {
        (_trace, _input) = (new FuzzTrace(), input);
        Interlocked.Increment(ref _replays);
        return target.Run(input, _trace, handsOver);
    }
}
