using MiniVmm.Host;
using MiniVmm.Storage;

namespace MiniVmm.Tests.Storage;

public sealed class FlushGroupTests : IDisposable
{
    private readonly SemaphoreSlim _began = new(0);
    private readonly SemaphoreSlim _ends = new(0);
    private readonly FlushGroup _group;
    private int _flushes;
    private int _result;

    public FlushGroupTests()
    {
        _group = new FlushGroup(() =>
        {
            Interlocked.Increment(ref _flushes);
            _began.Release();
            _ends.Wait();
            return _result;
        });
    }

    public void Dispose()
    {
        _began.Dispose();
        _ends.Dispose();
    }

    [Fact]
    public void One_after_another_each_is_done()
    {
        _ends.Release(3);

        Assert.Equal((0, 0, 0), (_group.Flush(), _group.Flush(), _group.Flush()));
        Assert.Equal(3, _flushes);
    }

    [Fact]
    public void Those_asked_for_while_one_runs_share_the_next()
    {
        Asker first = Asker.Start(_group);
        _began.Wait();
        Asker[] others = [.. Enumerable.Range(0, 4).Select(_ => Asker.Start(_group))];
        SpinWait.SpinUntil(() => _group.Waiting == others.Length);

        // The one that runs is none of theirs: they may have written since it began.
        _ends.Release();
        Assert.Equal(0, first.Result());
        _began.Wait();
        Assert.All(others, other => Assert.True(other.IsAlive));
        _ends.Release();

        Assert.All(others, other => Assert.Equal(0, other.Result()));
        Assert.Equal(2, _flushes);
    }

    [Fact]
    public void After_one_that_failed_there_is_no_other_and_all_fail()
    {
        _result = Errno.EIO;
        Asker first = Asker.Start(_group);
        _began.Wait();
        Asker beside = Asker.Start(_group);
        SpinWait.SpinUntil(() => _group.Waiting == 1);
        _ends.Release();

        Assert.Equal(Errno.EIO, first.Result());
        Assert.Equal(Errno.EIO, beside.Result());
        _result = 0;
        Assert.Equal(Errno.EIO, _group.Flush());
        Assert.Equal(1, _flushes);
    }

    /// <summary>A thread that flushes once.</summary>
    private sealed class Asker
    {
        private readonly Thread _thread;
        private int _result = -1;

        private Asker(FlushGroup group) =>
            _thread = new Thread(() => _result = group.Flush()) { IsBackground = true };

        public bool IsAlive => _thread.IsAlive;

        public static Asker Start(FlushGroup group)
        {
            Asker asker = new(group);
            asker._thread.Start();
            return asker;
        }

        public int Result()
        {
            _thread.Join();
            return _result;
        }
    }
}
