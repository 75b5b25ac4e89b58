using System.Text;
using CsCheck;
using MiniVmm.Execution;
using MiniVmm.Gdb;

namespace MiniVmm.Tests.Gdb;

public sealed class GdbSessionTests
{
    private readonly FakeTarget _target = new();
    private readonly GdbSession _session;
    private readonly GdbClient _gdb;

    public GdbSessionTests()
    {
        _session = new GdbSession(_target);
        _gdb = new GdbClient(_session);
    }

    [Fact]
    public void Packets_are_acknowledged_until_gdb_wants_that_no_more()
    {
        _session.Receive("$?#3f"u8);
        Assert.Equal((byte)'+', _session.Output[0]);
        Assert.Equal(["T05thread:1;"], _gdb.Replies());
        _session.Receive("$?#00"u8);
        Assert.Equal("-", Encoding.ASCII.GetString(_session.Output));
        _session.Sent(1);
        _session.Receive("-"u8); // again
        Assert.Equal(["T05thread:1;"], _gdb.Replies());

        Assert.Equal(["OK"], _gdb.Ask("QStartNoAckMode"));

        _session.Receive("$?#3f"u8);
        Assert.Equal((byte)'$', _session.Output[0]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4096)]
    public void A_packet_longer_than_any_is_refused_and_the_next_one_is_answered(int beyond)
    {
        string frame = $"${new string('a', (2 * GdbFraming.MostPayload) + beyond)}#00";

        foreach (byte[] part in Encoding.Latin1.GetBytes(frame).Chunk(4096))
            _session.Receive(part);

        Assert.Equal("-", Encoding.ASCII.GetString(_session.Output));
        _session.Sent(1);
        Assert.Equal(["T05thread:1;"], _gdb.Ask("?"));
    }

    [Theory]
    [InlineData("vMustReplyEmpty")]
    [InlineData("bc")] // reverse
    [InlineData("bs")]
    [InlineData("!")]
    [InlineData("qTStatus")]
    [InlineData("R00")]
    [InlineData("vFile:open:00,0,0")]
    [InlineData("QNonStop:1")]
    [InlineData("Z3,1000,1")] // gdb takes an access watchpoint then
    public void What_there_is_not_gets_the_empty_reply(string packet) => Assert.Equal([""], _gdb.Ask(packet));

    [Theory]
    [InlineData("m")]
    [InlineData("mx,1")]
    [InlineData("m11111111111111111,1")]
    [InlineData("M0,2:00")]
    [InlineData("M0,1:0")]
    [InlineData("M0,1:zz")]
    [InlineData("X0,2:a")]
    [InlineData("p999")]
    [InlineData("P0=00")]
    [InlineData("Pffff=00")]
    [InlineData("G00")]
    [InlineData("Hg99")]
    [InlineData("T7")]
    [InlineData("Z0,zz,1")]
    [InlineData("Z0,10")]
    [InlineData("vCont;x")]
    [InlineData("vCont;c:0")]
    [InlineData("vCont;C")]
    [InlineData("vCont;r")]
    [InlineData("vCont;r1000")]
    [InlineData("vCont;r1000,")]
    [InlineData("vCont;r1000,1010x")]
    [InlineData("cxyz")]
    [InlineData("C")]
    [InlineData("qRcmd,1")]
    [InlineData("Qqemu.sstep=8")]
    [InlineData("qXfer:features:read:target.xml:z")]
    public void A_packet_that_makes_no_sense_gets_an_error_and_the_guest_stays(string packet)
    {
        Assert.StartsWith("E", Assert.Single(_gdb.Ask(packet)), StringComparison.Ordinal);
        Assert.False(_session.IsRunning);
    }

    [Fact]
    public void Registers_are_read_and_written_together_and_one_by_one()
    {
        Assert.Equal(["OK"], _gdb.Ask("P10=8877665544332211"));
        Assert.Equal(["8877665544332211"], _gdb.Ask("p10"));
        string all = Assert.Single(_gdb.Ask("g"));
        Assert.Equal("8877665544332211", all.Substring(2 * 16 * 8, 16));
        Assert.Equal(_target.Registers.Size * 2, all.Length);

        Assert.Equal(["OK"], _gdb.Ask($"G{new string('1', all.Length)}"));

        Assert.Equal(["1111111111111111"], _gdb.Ask("p0"));
        Assert.Equal(["OK"], _gdb.Ask("Hg2"));
        Assert.Equal(["0000000000000000"], _gdb.Ask("p0"));
    }

    [Fact]
    public void Memory_is_read_and_written_as_text_and_as_bytes()
    {
        Assert.Equal(["OK"], _gdb.Ask("M10,3:010203"));
        Assert.Equal(["OK"], _gdb.Ask("X13,4:}*$#")); // the frame escapes them
        Assert.Equal(["0102037d2a2423"], _gdb.Ask("m10,7"));
        Assert.Equal(["OK"], _gdb.Ask("X10,0:"));
        Assert.Equal([new string('0', 8)], _gdb.Ask("mfffc,10")); // as much as there is
        Assert.Equal(["E0e"], _gdb.Ask("m10000,1"));
        Assert.Equal(["E16"], _gdb.Ask("Mffff,2:0000"));
        Assert.InRange(Assert.Single(_gdb.Ask("m0,7fffffff")).Length, 2, GdbFraming.MostPayload);
    }

    [Fact]
    public void Memory_can_be_physical_as_QEMU_has_it()
    {
        Assert.Equal(["sstepbits;sstep;PhyMemMode"], _gdb.Ask("qqemu.Supported"));
        Assert.Equal(["0"], _gdb.Ask("qqemu.PhyMemMode"));
        Assert.Equal(["OK"], _gdb.Ask("Qqemu.PhyMemMode:1"));
        Assert.Equal(["1"], _gdb.Ask("qqemu.PhyMemMode"));
        _gdb.Ask("m0,1");

        Assert.Equal("physical", _target.Told[^1]);
    }

    [Fact]
    public void Steps_hold_interrupts_unless_told_otherwise()
    {
        Assert.Equal(["ENABLE=1,NOIRQ=2,NOTIMER=4"], _gdb.Ask("qqemu.sstepbits"));
        Assert.Equal(["0x7"], _gdb.Ask("qqemu.sstep"));
        Assert.Equal(["OK"], _gdb.Ask("Qqemu.sstep=5"));
        Assert.False(_target.StepsHoldInterrupts);
        Assert.Equal(["0x5"], _gdb.Ask("qqemu.sstep"));
    }

    [Theory]
    [InlineData("c", "run Continue Continue")]
    [InlineData("C05", "run Continue Continue")]
    [InlineData("s", "run Step Stay")]
    [InlineData("vCont;c", "run Continue Continue")]
    [InlineData("vCont;s:2", "run Stay Step")]
    [InlineData("vCont;s:1;c", "run Step Continue")]
    [InlineData("vCont;S05:1;c:-1", "run Step Continue")]
    [InlineData("vCont;t:1;c", "run Stay Continue")]
    [InlineData("vCont;r1000,101f:1;c", "run Step:1000-101f Continue")]
    [InlineData("vCont;rffffffff81000000,ffffffff81000010:2", "run Stay Step:ffffffff81000000-ffffffff81000010")]
    public void Each_vCPU_gets_its_order_and_the_reply_waits(string packet, string told)
    {
        Assert.Empty(_gdb.Ask(packet));
        Assert.True(_session.IsRunning);
        Assert.Equal(told, _target.Told[^1]);
    }

    [Fact]
    public void A_stop_says_why_in_words_that_gdb_knows()
    {
        _gdb.Ask("c");
        _session.LookForStop();
        Assert.Empty(_gdb.Replies()); // nothing has stopped
        _target.Stopped = new(1, StopCause.SoftwareBreakpoint);
        _session.LookForStop();
        Assert.Equal(["T05thread:2;"], _gdb.Replies()); // gdb has not said that it knows
        Assert.Contains("swbreak+", Assert.Single(_gdb.Ask("qSupported:swbreak+;hwbreak+")), StringComparison.Ordinal);
        Assert.Equal("T05swbreak:;thread:2;", Stop(new(1, StopCause.SoftwareBreakpoint)));
        Assert.Equal("T05hwbreak:;thread:1;", Stop(new(0, StopCause.HardwareBreakpoint)));
        Assert.Equal("T05watch:1234;thread:1;", Stop(new(0, StopCause.Watch, new(BreakpointKind.WriteWatch, 0x1234, 4))));
        Assert.Equal("T05awatch:1234;thread:1;", Stop(new(0, StopCause.Watch, new(BreakpointKind.AccessWatch, 0x1234, 4))));
        Assert.Equal("T05thread:1;", Stop(new(0, StopCause.Step)));
        Assert.Equal("T04thread:1;", Stop(new(0, StopCause.BadInstruction)));
    }

    [Fact]
    public void A_crash_comes_with_a_line_for_the_user()
    {
        _gdb.Ask("c");
        _target.Stopped = new(0, StopCause.Crash, Note: "died\n");
        _session.LookForStop();

        Assert.Equal(["O" + Convert.ToHexStringLower("died\n"u8), "T0bthread:1;"], _gdb.Replies());
    }

    [Fact]
    public void Ctrl_C_stops_a_guest_that_runs_and_is_nothing_to_one_that_stands_still()
    {
        _session.Receive([3]);
        Assert.Empty(_gdb.Replies());
        _gdb.Ask("c");
        _session.Receive([3]);
        Assert.Equal(["T02thread:1;"], _gdb.Replies());
        Assert.False(_target.Runs);

        _gdb.Ask("c");
        _target.Stopped = new(1, StopCause.Step); // it had stopped a moment before
        _session.Receive([3]);
        Assert.Equal(["T05thread:2;"], _gdb.Replies());
    }

    [Fact]
    public void A_packet_while_the_guest_runs_stops_it()
    {
        _gdb.Ask("c");

        Assert.Equal(["0000000000000000"], _gdb.Ask("p0"));
        Assert.False(_session.IsRunning);
    }

    [Fact]
    public void Threads_are_the_vCPUs_that_are_there()
    {
        Assert.Equal(["m1,2"], _gdb.Ask("qfThreadInfo"));
        Assert.Equal(["l"], _gdb.Ask("qsThreadInfo"));
        Assert.Equal([Convert.ToHexStringLower("CPU#1"u8)], _gdb.Ask("qThreadExtraInfo,2"));
        Assert.Equal(["OK"], _gdb.Ask("T2"));
        Assert.Equal(["OK"], _gdb.Ask("Hg2"));
        Assert.Equal(["QC2"], _gdb.Ask("qC"));
        _target.Vcpus = [0];
        Assert.Equal(["QC1"], _gdb.Ask("qC"));
        Assert.Equal(["E16"], _gdb.Ask("T2"));
    }

    [Fact]
    public void Breakpoints_are_set_until_none_fits()
    {
        Assert.Equal(["OK"], _gdb.Ask("Z2,1000,8"));
        Assert.Equal(["OK"], _gdb.Ask("Z4,1008,8"));
        Assert.Equal(["OK"], _gdb.Ask("Z1,2000,1"));
        Assert.Equal(["OK"], _gdb.Ask("Z1,3000,1"));
        Assert.Equal(["E1c"], _gdb.Ask("Z1,4000,1"));
        Assert.Equal(["OK"], _gdb.Ask("Z0,ffffffff81000000,1"));
        Assert.Equal(["OK"], _gdb.Ask("z1,3000,1"));
        Assert.Equal(["OK"], _gdb.Ask("Z1,4000,1"));
    }

    [Fact]
    public void The_description_comes_in_parts()
    {
        byte[] whole = TargetDescription.Write(_target.Registers);
        StringBuilder read = new();
        string part;
        do
        {
            part = Assert.Single(_gdb.Ask($"qXfer:features:read:target.xml:{read.Length:x},100"));
            read.Append(part.AsSpan(1));
        }
        while (part[0] == 'm');

        Assert.Equal(Encoding.ASCII.GetString(whole), read.ToString());
        Assert.Equal(["l"], _gdb.Ask("qXfer:features:read:target.xml:ffffffff,100"));
    }

    [Fact]
    public void A_monitor_command_is_answered_on_the_console()
    {
        Assert.Equal(
            ["O" + Convert.ToHexStringLower("0: pagewalk 0\n"u8), "OK"],
            _gdb.Ask($"qRcmd,{Convert.ToHexStringLower("pagewalk 0"u8)}"));
    }

    [Fact]
    public void Leaving_and_killing_are_told_apart()
    {
        Assert.Equal(["OK"], _gdb.Ask("D"));
        Assert.True(_session.HasLeft);
        Assert.Equal("detach", _target.Told[^1]);

        GdbSession other = new(_target);
        other.Receive("$k#6b"u8);
        Assert.Equal((true, true, "kill"), (other.HasLeft, other.HasEnded, _target.Told[^1]));
    }

    [Theory]
    [InlineData(StopKind.PowerOff, 0, "W00")]
    [InlineData(StopKind.Reset, 0, "W00")]
    [InlineData(StopKind.DebugExit, 3, "W07")]
    [InlineData(StopKind.Crash, 1, "X0b")]
    [InlineData(StopKind.Timeout, 0, "X0f")]
    public void The_end_is_told_to_a_gdb_that_waits(StopKind kind, uint value, string reply)
    {
        _gdb.Ask("c");
        _session.End(new(kind, value));

        Assert.Equal([reply], _gdb.Replies());
        Assert.True(_session.HasEnded);
        GdbSession stopped = new(_target);
        stopped.End(new(kind, value));
        Assert.Equal(0, stopped.Output.Length); // gdb has not asked
    }

    [Fact]
    public void A_client_that_refuses_everything_does_not_fill_the_memory()
    {
        _gdb.Send("g");
        for (int i = 0; i < 1000; i++)
            _session.Receive([.. Enumerable.Repeat((byte)'-', 100)]);

        Assert.InRange(_session.Output.Length, 2 * _target.Registers.Size, 2 * GdbFraming.MostFrame);
    }

    [Fact]
    public void No_packets_whatever_they_hold_end_in_an_exception_or_in_silence()
    {
        string[] starts =
        [
            "?", "g", "G", "p", "P", "m", "M", "X", "c", "C", "s", "S", "vCont;", "vCont;s:", "vCont;r", "vKill;", "D", "H", "Hg", "Hc", "T", "Z", "Z0,",
            "Z2,10,", "z1,", "qSupported:", "qXfer:features:read:target.xml:", "qRcmd,", "qThreadExtraInfo,", "Qqemu.sstep=",
            "Qqemu.PhyMemMode:", "qfThreadInfo", "qsThreadInfo", "QStartNoAckMode",
        ];
        Gen.Select(Gen.Int[0, starts.Length - 1].Select(i => starts[i]), Gen.OneOf(Gen.Char["0123456789abcdef,;:=-"], Gen.Char).Array[0, 24]).Array[1, 12].Sample(packets =>
        {
            FakeTarget target = new();
            GdbSession session = new(target);
            GdbClient gdb = new(session);
            foreach ((string start, char[] rest) in packets)
            {
                if (session.HasEnded)
                    break;
                string payload = new([.. (start + new string(rest)).Select(letter => (char)(letter & 0xff))]);
                string[] replies = gdb.Ask(payload);
                Assert.True(replies.Length > 0 || session.IsRunning || session.HasEnded, payload);
                if (!session.IsRunning)
                    continue;
                session.Receive([3]);
                Assert.NotEmpty(gdb.Replies());
            }
        });
    }

    [Fact]
    public void No_bytes_whatever_they_are_make_a_session_throw_or_grow() =>
        Gen.OneOf(Gen.Byte, Gen.Int[0, 3].Select(i => "$#-\x03"u8[i])).Array[0, 200].Array[1, 5].Sample(pieces =>
        {
            GdbSession session = new(new FakeTarget());
            foreach (byte[] piece in pieces)
                session.Receive(piece);
            Assert.InRange(session.Output.Length, 0, 1000 * 200);
        });

    private string Stop(GdbStop stop)
    {
        _gdb.Ask("c");
        _target.Stopped = stop;
        _session.LookForStop();
        return Assert.Single(_gdb.Replies());
    }
}
