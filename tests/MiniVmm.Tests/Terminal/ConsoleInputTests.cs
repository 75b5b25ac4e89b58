using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Terminal;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Terminal;

public sealed class ConsoleInputTests : IDisposable
{
    private readonly Pipe _pipe = new();
    private readonly Lifecycle _lifecycle = new();
    private readonly Serial16550 _serial = new(new RecordingSink(), new RecordingInterrupt());

    public void Dispose()
    {
        _pipe.Dispose();
        _lifecycle.Dispose();
    }

    [Fact]
    public void From_a_pipe_every_byte_is_carried_Ctrl_A_too()
    {
        using ConsoleInput input = new(_pipe.Reader, _serial, _lifecycle, terminal: false);
        _pipe.Write("ab\u0001x\0c"u8);

        Assert.Equal("ab\u0001x\0c"u8.ToArray(), Typed(6));
        Assert.False(_lifecycle.IsStopping);
    }

    [Fact]
    public void More_than_the_guests_queue_holds_waits_for_the_guest()
    {
        byte[] text = [.. Enumerable.Range(0, 10_000).Select(i => (byte)(i * 7))];
        using ConsoleInput input = new(_pipe.Reader, _serial, _lifecycle, terminal: false);
        _pipe.Write(text);

        Assert.Equal(text, Typed(text.Length));
    }

    [Fact]
    public void At_the_end_of_input_the_guest_has_had_all_of_it_and_runs_on()
    {
        _pipe.Write("last"u8);
        _pipe.CloseWriter();
        using ConsoleInput input = new(_pipe.Reader, _serial, _lifecycle, terminal: false);

        Assert.Equal("last"u8.ToArray(), Typed(4));
        Assert.False(_lifecycle.IsStopping);
    }

    [Fact]
    public void On_a_terminal_Ctrl_A_x_ends_the_machine_and_what_came_before_was_typed()
    {
        using ConsoleInput input = new(_pipe.Reader, _serial, _lifecycle, terminal: true);
        _pipe.Write("a\u0001\u0001\u0001qb\u0001x"u8);

        Assert.Equal(StopKind.Interrupted, _lifecycle.Wait(null).Kind);
        Assert.Equal("a\u0001b"u8.ToArray(), Typed(3));
    }

    [Fact]
    public void On_a_terminal_Ctrl_A_x_ends_a_machine_that_takes_no_keys()
    {
        using ConsoleInput input = new(_pipe.Reader, _serial, _lifecycle, terminal: true);
        _pipe.Write(new byte[10_000]);
        _pipe.Write("\u0001x"u8);

        Assert.Equal(StopKind.Interrupted, _lifecycle.Wait(null).Kind);
    }

    [Fact]
    public void On_a_terminal_Ctrl_A_b_sends_a_break()
    {
        using ConsoleInput input = new(_pipe.Reader, _serial, _lifecycle, terminal: true);
        _pipe.Write("\u0001b"u8);

        int status;
        while (((status = _serial.In(5)) & 1) == 0)
            Thread.Yield();

        Assert.Equal(0x71, status);
    }

    [Fact]
    public void Disposal_ends_the_thread_while_it_waits_for_keys_or_for_the_guest()
    {
        new ConsoleInput(_pipe.Reader, _serial, _lifecycle, terminal: false).Dispose();

        ConsoleInput held = new(_pipe.Reader, _serial, _lifecycle, terminal: false);
        _pipe.Write(new byte[5000]);
        held.Dispose();
    }

    /// <summary>Reads the UART as a polling guest does.</summary>
    private byte[] Typed(int count)
    {
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++)
        {
            while ((_serial.In(5) & 1) == 0)
                Thread.Yield();
            bytes[i] = _serial.In(0);
        }

        return bytes;
    }
}
