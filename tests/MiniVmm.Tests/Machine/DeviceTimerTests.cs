using System.Collections.Concurrent;
using MiniVmm.Devices;
using MiniVmm.Machine;

namespace MiniVmm.Tests.Machine;

public sealed class DeviceTimerTests : IDisposable
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(1);

    private readonly ConcurrentQueue<string> _warnings = [];
    private readonly Device _device = new();
    private readonly DeviceTimer _timer;

    public DeviceTimerTests() => _timer = new("timer", _device, warning => _warnings.Enqueue(warning.ToString()));

    public void Dispose()
    {
        _timer.Dispose();
        _device.Dispose();
    }

    [Fact]
    public void A_device_that_wakes_it_is_called_on_a_thread_of_its_own_each_time()
    {
        for (int i = 0; i < 3; i++)
        {
            _timer.Wake();
            _device.WaitForCall();
        }

        Assert.Equal("timer", Assert.Single(_device.Threads));
        Assert.Empty(_warnings);
    }

    [Fact]
    public void It_is_called_again_after_the_time_that_it_said_and_not_after_it_said_never()
    {
        _device.Delays.Enqueue(TimeSpan.FromTicks(1));
        _device.Delays.Enqueue(TimeSpan.FromMilliseconds(1));

        _timer.Wake();

        for (int i = 0; i < 3; i++)
            _device.WaitForCall();
        _timer.Dispose();
        Assert.Equal(3, _device.Calls);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void While_it_is_parked_the_device_is_not_called(bool begun)
    {
        if (begun)
        {
            _timer.Wake();
            _device.WaitForCall();
        }

        _timer.Park();
        _device.IsParked = true;
        _timer.Wake();
        _timer.Wake();
        _device.IsParked = false;
        _timer.Resume();

        _device.WaitForCall();
        Assert.Empty(_warnings); // of a call meanwhile
    }

    [Fact]
    public void Once_it_is_disposed_of_or_if_nobody_woke_it_nothing_is_called()
    {
        _timer.Dispose();
        _timer.Wake();

        Assert.Equal(0, _device.Calls);
    }

    [Fact]
    public void What_the_device_throws_is_a_line_and_the_next_call_comes()
    {
        _device.Failure = new InvalidOperationException("no line");
        _timer.Wake();
        _device.WaitForCall();
        _timer.Wake();
        _device.WaitForCall();
        _timer.Dispose();

        Assert.Equal("the timer lost an interrupt: no line", _warnings.First());
    }

    private sealed class Device : ITimedDevice, IDisposable
    {
        private readonly SemaphoreSlim _called = new(0);
        private readonly ConcurrentDictionary<string, int> _threads = [];
        private int _calls;

        public ConcurrentQueue<TimeSpan> Delays { get; } = [];

        public IEnumerable<string> Threads => _threads.Keys;

        public int Calls => Volatile.Read(ref _calls);

        public volatile bool IsParked;

        public Exception? Failure { get; set; }

        public void WaitForCall() => Assert.True(_called.Wait(Long));

        public TimeSpan DoWhatIsDue()
        {
            try
            {
                _threads[Thread.CurrentThread.Name ?? ""] = 0;
                Interlocked.Increment(ref _calls);
                if (IsParked)
                    throw new InvalidOperationException("called while parked");
                if (Failure is { } failure)
                    throw failure;
                return Delays.TryDequeue(out TimeSpan delay) ? delay : Timeout.InfiniteTimeSpan;
            }
            finally
            {
                _called.Release();
            }
        }

        public void Dispose() => _called.Dispose();
    }
}
