using MiniVmm.Execution;
using MiniVmm.Terminal;
using Tmds.Linux;

namespace MiniVmm.Tests.Terminal;

public sealed class ConsoleOutputTests : IDisposable
{
    private readonly Lifecycle _lifecycle = new();

    public void Dispose() => _lifecycle.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task From_several_threads_every_byte_arrives_and_each_threads_in_order(int nonBlocking)
    {
        const int threads = 4;
        const int each = 30_000; // more than a pipe holds, so that the reader holds the writer up at times
        using Pipe pipe = new(nonBlocking != 0 ? LibC.O_NONBLOCK : 0);
        Task<byte[]> reader = Task.Run(() => pipe.Read());
        using (ConsoleOutput output = new(pipe.GiveWriter(), ownsFd: true, _lifecycle))
        {
            Thread[] writers = [.. Enumerable.Range(0, threads).Select(thread => new Thread(() =>
            {
                for (int i = 0; i < each; i++)
                    output.Write((byte)((thread << 6) | (i & 0x3f)));
            }))];
            foreach (Thread writer in writers)
                writer.Start();
            foreach (Thread writer in writers)
                writer.Join();
        }

        byte[] text = await reader;

        Assert.Equal(threads * each, text.Length);
        for (int thread = 0; thread < threads; thread++)
        {
            int next = 0;
            foreach (byte value in text.Where(value => value >> 6 == thread))
                Assert.Equal(next++ & 0x3f, value & 0x3f);
        }

        Assert.False(_lifecycle.IsStopping);
    }

    [Fact]
    public async Task Text_in_bulk_is_taken_as_far_as_there_is_room_and_arrives_in_order()
    {
        byte[] text = [.. Enumerable.Range(0, 1_000_000).Select(i => (byte)(i % 251))];
        using Pipe pipe = new();
        using ConsoleOutput output = new(pipe.GiveWriter(), ownsFd: true, _lifecycle);
        int taken = 0;
        int refusals = 0;
        while (refusals < 3)
        {
            int now = output.TryWrite(text.AsSpan(taken)); // nobody reads: at some point ring and pipe are full
            taken += now;
            refusals = now == 0 ? refusals + 1 : 0;
            Thread.Yield();
        }

        Assert.InRange(taken, 65536, 3 * 65536);
        Task<byte[]> reader = Task.Run(() => pipe.Read(text.Length));
        while (taken < text.Length)
            taken += output.TryWrite(text.AsSpan(taken));

        byte[] read = await reader;
        Assert.True(text.AsSpan().SequenceEqual(read));
        Assert.False(_lifecycle.IsStopping);
    }

    [Fact]
    public void Text_in_bulk_holds_nobody_up_once_the_machine_stops()
    {
        using Pipe pipe = new();
        using ConsoleOutput output = new(pipe.Writer, ownsFd: false, _lifecycle);
        _lifecycle.Stop(new(StopKind.Interrupted));

        Assert.Equal(1_000_000, output.TryWrite(new byte[1_000_000]));
        pipe.CloseReader();
    }

    [Fact]
    public void A_byte_is_written_out_though_nothing_follows_it()
    {
        using Pipe pipe = new();
        using ConsoleOutput output = new(pipe.Writer, ownsFd: false, _lifecycle);
        for (int i = 0; i < 100; i++)
        {
            output.Write((byte)i);
            Assert.Equal([(byte)i], pipe.Read(1));
        }
    }

    [Fact]
    public void Disposal_writes_out_what_is_left_and_a_second_one_does_nothing()
    {
        using Pipe pipe = new();
        ConsoleOutput output = new(pipe.GiveWriter(), ownsFd: true, _lifecycle);
        foreach (byte value in "goodbye"u8)
            output.Write(value);

        output.Dispose();
        output.Dispose();

        Assert.Equal("goodbye"u8.ToArray(), pipe.Read());
    }

    [Fact]
    public async Task Text_that_is_held_is_kept_the_last_of_it_and_holds_nobody_up()
    {
        using Pipe pipe = new();
        ConsoleOutput output = new(pipe.GiveWriter(), ownsFd: true, _lifecycle);
        output.Hold();
        byte[] text = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i % 251))];

        foreach (byte value in text.AsSpan(0, 100_000))
            output.Write(value);
        for (int taken = 100_000; taken < text.Length;)
            taken += output.TryWrite(text.AsSpan(taken));
        output.Release();
        Task<byte[]> reader = Task.Run(() => pipe.Read());
        output.Dispose();

        byte[] read = await reader;
        Assert.InRange(read.Length, 3 * 65536 / 4, 65536);
        Assert.True(text.AsSpan(text.Length - read.Length).SequenceEqual(read));
    }

    [Fact]
    public void A_descriptor_that_is_not_its_own_stays_open()
    {
        using Pipe pipe = new();
        new ConsoleOutput(pipe.Writer, ownsFd: false, _lifecycle).Dispose();

        pipe.Write("x"u8);

        Assert.Equal("x"u8.ToArray(), pipe.Read(1));
    }

    [Fact]
    public void When_nobody_reads_any_more_the_machine_stops_and_text_goes_nowhere()
    {
        using Pipe pipe = new();
        using ConsoleOutput output = new(pipe.Writer, ownsFd: false, _lifecycle);
        pipe.CloseReader();

        // More than once: a process that another test is about to start has the reading end for a moment, too.
        while (!_lifecycle.IsStopping)
        {
            output.Write((byte)'x');
            Thread.Yield();
        }

        Assert.Equal(StopKind.OutputClosed, _lifecycle.Wait(null).Kind);

        for (int i = 0; i < 200_000; i++)
            output.Write((byte)'x');
    }

    [Fact]
    public void A_guest_that_is_held_up_by_a_reader_that_takes_nothing_is_let_go_when_the_machine_stops()
    {
        const int more = Pipe.Capacity + 100_000; // than the pipe and the ring hold
        using Pipe pipe = new();
        using ConsoleOutput output = new(pipe.Writer, ownsFd: false, _lifecycle);
        using ManualResetEventSlim started = new();
        Thread guest = new(() =>
        {
            for (int i = 0; i < more; i++)
            {
                output.Write((byte)'x');
                started.Set();
            }
        });
        guest.Start();
        started.Wait();

        _lifecycle.Stop(new(StopKind.Interrupted));
        guest.Join();

        pipe.CloseReader(); // or disposal would wait its two seconds for it
        Assert.Equal(StopKind.Interrupted, _lifecycle.Reason.Kind);
    }

    [Fact]
    public void A_write_that_hangs_at_the_end_is_made_to_fail()
    {
        using StreamPair pair = new();
        StreamPairs.Fill(pair.Fd);
        Assert.Equal(0, LibC.fcntl(pair.Fd, LibC.F_SETFL, 0));
        ConsoleOutput output = new(pair.Fd, ownsFd: false, _lifecycle, pair.EndText) { LastWait = 1 };
        output.Write((byte)'x');
        _lifecycle.Stop(new(StopKind.PowerOff));

        output.Dispose();

        Assert.True(SpinWait.SpinUntil(() => output.IsClosed, TimeSpan.FromMinutes(2))); // its thread is done
        Assert.Equal(StopKind.PowerOff, _lifecycle.Reason.Kind);
    }

    [Fact]
    public void A_slow_reader_loses_nothing()
    {
        const int more = Pipe.Capacity + 100_000;
        using Pipe pipe = new();
        using ConsoleOutput output = new(pipe.Writer, ownsFd: false, _lifecycle);
        Thread guest = new(() =>
        {
            for (int i = 0; i < more; i++)
                output.Write((byte)(i * 7));
        });
        guest.Start();
        Assert.False(guest.Join(20)); // held up: it cannot have written it all

        byte[] text = pipe.Read(more);
        guest.Join();

        Assert.Equal(Enumerable.Range(0, more).Select(i => (byte)(i * 7)), text);
    }
}
