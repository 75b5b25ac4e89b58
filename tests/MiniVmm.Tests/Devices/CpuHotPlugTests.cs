using CsCheck;
using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices;

public sealed class CpuHotPlugTests
{
    private const int Places = 4;

    private readonly TestBay _bay = new(present: 2);
    private readonly RecordingLevel _line = new();
    private readonly CpuHotPlug _device;

    public CpuHotPlugTests() => _device = new(Places, _bay, _line);

    [Fact]
    public void A_guest_sees_which_processors_are_in() =>
        Assert.Equal([0xf, 0xf, 0, 0], Enumerable.Range(0, Places).Select(i => Ask(CpuHotPlug.GetStatus, (uint)i)));

    [Fact]
    public void A_processor_that_comes_is_announced_once_and_pending_until_the_guest_says_that_it_took_it()
    {
        Ask(CpuHotPlug.GetStatus, 2);
        PutIn(2);

        Assert.True(_line.Asserted);
        Assert.Equal(0x1_0002u, Ask(CpuHotPlug.NextRequest));
        Assert.False(_line.Asserted);
        Assert.Equal(0u, Ask(CpuHotPlug.NextRequest));
        Assert.Equal(new(CpuRequest.Insert, true, CpuRequest.None, 0), _device[2]);

        Ask(CpuHotPlug.Report, 2, 1, 0);
        Assert.Equal(default, _device[2]);
    }

    [Fact]
    public void A_guest_that_had_not_looked_yet_finds_a_processor_by_its_first_look_and_is_told_nothing()
    {
        PutIn(2);

        Assert.Equal(0xfu, Ask(CpuHotPlug.GetStatus, 2));

        Assert.False(_line.Asserted);
        Assert.Equal(0u, Ask(CpuHotPlug.NextRequest));
        Assert.Equal(default, _device[2]);
    }

    [Fact]
    public void A_processor_that_is_to_go_is_in_until_the_guest_ejects_it()
    {
        Assert.True(_device.RequestEjection(1));

        Assert.Equal(0x3_0001u, Ask(CpuHotPlug.NextRequest));
        Ask(CpuHotPlug.Report, 1, 3, 0x84); // in progress
        Assert.Equal(CpuRequest.Eject, _device[1].Pending);
        Assert.Equal(0xfu, Ask(CpuHotPlug.GetStatus, 1));
        Ask(CpuHotPlug.Report, 1, 3, 0); // it says so too early
        Assert.Empty(_bay.TakenOut);

        Ask(CpuHotPlug.Eject, 1);
        Assert.Equal([1], _bay.TakenOut);
        Assert.Equal(0u, Ask(CpuHotPlug.GetStatus, 1));
        Assert.Equal(CpuRequest.Eject, _device[1].Pending); // until it is done with that
        Ask(CpuHotPlug.Report, 1, 3, 0);
        Assert.Equal(default, _device[1]);
    }

    [Fact]
    public void A_guest_that_says_no_word_of_what_it_ejected_does_not_keep_it_from_coming_again()
    {
        Ask(CpuHotPlug.GetStatus, 1);
        Ask(CpuHotPlug.Eject, 1);
        PutIn(1);

        Assert.Equal(0x1_0001u, Ask(CpuHotPlug.NextRequest));
        Ask(CpuHotPlug.Report, 1, 3, 0);
        Assert.Equal(CpuRequest.Insert, _device[1].Pending);
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 0x200, 0x81)]
    [InlineData(3, 3, 0x82)]
    [InlineData(3, 0x103, 0x80)]
    public void A_refusal_is_kept_with_its_reason_until_the_guest_is_asked_again(byte request, uint source, uint status)
    {
        Request((CpuRequest)request, 1);
        Ask(CpuHotPlug.NextRequest);

        Ask(CpuHotPlug.Report, 1, source, status);
        Assert.Equal(new(CpuRequest.None, false, (CpuRequest)request, status), _device[1]);
        Assert.False(_line.Asserted);

        Request((CpuRequest)request, 1);
        Assert.Equal(new((CpuRequest)request, false, CpuRequest.None, 0), _device[1]);
        Assert.True(_line.Asserted);
    }

    [Theory]
    [InlineData(3u)] // about the request before
    [InlineData(0x80u)]
    [InlineData(uint.MaxValue)]
    public void What_a_guest_says_of_something_else_is_not_its_answer(uint source)
    {
        _device.RequestInsertion(1);
        Ask(CpuHotPlug.Report, 1, 1, 0x82); // before it has heard of it
        Ask(CpuHotPlug.NextRequest);

        Ask(CpuHotPlug.Report, 1, source, 1);

        Assert.Equal(new(CpuRequest.Insert, true, CpuRequest.None, 0), _device[1]);
    }

    [Fact]
    public void What_a_guest_has_not_heard_of_is_taken_back_without_it()
    {
        Ask(CpuHotPlug.GetStatus, 2);
        PutIn(2);
        Assert.False(_device.RequestEjection(2));
        Assert.True(_device.RequestEjection(1));
        _device.Keep(1);

        Assert.False(_line.Asserted);
        Assert.Equal(0u, Ask(CpuHotPlug.NextRequest));
    }

    [Fact]
    public void What_a_guest_has_seen_by_itself_is_not_taken_from_it_unasked()
    {
        Ask(CpuHotPlug.GetStatus, 2);
        PutIn(2);
        Assert.Equal(0xfu, Ask(CpuHotPlug.GetStatus, 2)); // as a scan of its own does, before the interrupt

        Assert.True(_device.RequestEjection(2));
        Assert.Equal(0x3_0002u, Ask(CpuHotPlug.NextRequest));
    }

    [Fact]
    public void An_ejection_that_a_guest_has_heard_of_stays_pending_and_can_be_asked_for_again()
    {
        _device.RequestEjection(1);
        Ask(CpuHotPlug.NextRequest);
        _device.Keep(1);
        Assert.Equal(CpuRequest.Eject, _device[1].Pending);

        _device.RequestEjection(1);
        Assert.Equal(0x3_0001u, Ask(CpuHotPlug.NextRequest));
    }

    [Fact]
    public void A_processor_that_a_guest_had_refused_is_announced_again_to_be_kept()
    {
        _device.RequestInsertion(1);
        Ask(CpuHotPlug.NextRequest);
        Ask(CpuHotPlug.Report, 1, 1, 0x81);

        _device.Keep(1);

        Assert.Equal(0x1_0001u, Ask(CpuHotPlug.NextRequest));
    }

    [Fact]
    public void A_guest_may_eject_what_nobody_asked_for_but_not_its_boot_processor_nor_what_is_not_there()
    {
        foreach (uint index in (uint[])[0, 2, Places, 0xffff])
            Ask(CpuHotPlug.Eject, index);
        Assert.Empty(_bay.TakenOut);

        Ask(CpuHotPlug.Eject, 1);
        Ask(CpuHotPlug.Eject, 1);
        Assert.Equal([1], _bay.TakenOut);
    }

    [Fact]
    public void An_ejection_of_what_has_gone_by_itself_is_not_announced()
    {
        _device.RequestEjection(1);
        _bay.TakeOut(1);

        Assert.Equal(0u, Ask(CpuHotPlug.NextRequest));
        Assert.False(_line.Asserted);
    }

    [Fact]
    public void A_command_is_one_of_any_width_and_a_report_does_not_disturb_anothers_result()
    {
        _device.Out(2, CpuHotPlug.Eject, 1); // of processor 0, as the rest counts as 0
        _device.Out(0, 1, 2);
        Assert.Empty(_bay.TakenOut);
        _device.Out(4, 0x0403_0201_8070_6050, 8);
        Assert.Equal(0x0403_0201_8070_6050ul, _device.In(4, 8));

        _device.Out(0, CpuHotPlug.Command(CpuHotPlug.GetStatus, 1), 4);
        _device.Out(0, CpuHotPlug.Command(CpuHotPlug.Report, 1), 4);
        Assert.Equal(0xful, _device.In(0, 4));
        _device.Out(0, CpuHotPlug.Command(CpuHotPlug.Eject, 1), 8);
        Assert.Equal([1], _bay.TakenOut);
    }

    /// <summary>Whatever a guest writes: the line is up while there is something to hear, and only what is there can go.</summary>
    [Fact]
    public void No_access_of_a_hostile_guest_breaks_a_promise()
    {
        uint[] known = [0x80, 0x82, 0x84, 0x103, 0x200, uint.MaxValue];
        Gen<uint> value = Gen.OneOf(Gen.UInt[0, 5], Gen.UInt, Gen.Int[0, known.Length - 1].Select(i => known[i]));
        Gen<(int What, uint A, uint B, uint C)> step = Gen.Select(Gen.Int[0, 9], value, value, value);
        step.Array[1, 60].Sample(
            steps =>
            {
                TestBay bay = new(present: 2);
                RecordingLevel line = new();
                CpuHotPlug device = new(Places, bay, line);
                foreach ((int what, uint a, uint b, uint c) in steps)
                {
                    Step(device, bay, what, a, b, c);
                    Check(device, line);
                }

                // Each request is heard of once.
                for (uint next, most = Places; (next = Ask(device, CpuHotPlug.NextRequest)) != 0; most--)
                {
                    Assert.InRange(next & 0xffff, 1u, Places - 1u);
                    Assert.True(next >> 16 is 1 or 3);
                    Assert.True(most > 0, "requests without an end");
                }

                Assert.False(line.Asserted);
                Assert.DoesNotContain(0, bay.TakenOut);
                Assert.All(bay.TakenOut, index => Assert.InRange(index, 1, Places - 1));
            },
            iter: 3000);
    }

    private static void Step(CpuHotPlug device, TestBay bay, int what, uint a, uint b, uint c)
    {
        int index = (int)(a % (Places - 1)) + 1;
        switch (what)
        {
            case 0:
                bay.PutIn(index);
                device.RequestInsertion(index);
                break;
            case 1 when bay.IsPresent(index):
                if (!device.RequestEjection(index))
                    bay.TakeOut(index);
                break;
            case 2 when bay.IsPresent(index):
                device.Keep(index);
                break;
            case 3:
                _ = device.In(a % 5, 8);
                _ = device.In(a % 12, 1);
                break;
            case 4:
                int width = 1 << (int)(b % 4);
                device.Out(a % (uint)(CpuHotPlug.Length - width + 1), ((ulong)b << 32) | c, width);
                break;
            default:
                Ask(device, (byte)(b % 6), a, c, b);
                break;
        }
    }

    private static void Check(CpuHotPlug device, RecordingLevel line)
    {
        CpuRequestState[] all = [.. Enumerable.Range(0, Places).Select(i => device[i])];
        Assert.Equal(all.Any(request => request.Pending != CpuRequest.None && !request.Announced), line.Asserted);
        Assert.Equal(default, all[0]);
        Assert.All(all, request => Assert.False(request.Pending != CpuRequest.None && request.Refused != CpuRequest.None));
    }

    private void PutIn(int index)
    {
        _bay.PutIn(index);
        _device.RequestInsertion(index);
    }

    private void Request(CpuRequest request, int index)
    {
        if (request == CpuRequest.Insert)
            _device.RequestInsertion(index);
        else
            _device.RequestEjection(index);
    }

    private uint Ask(byte command, uint index = 0, uint source = 0, uint status = 0) =>
        Ask(_device, command, index, source, status);

    /// <summary>As the DSDT's methods do.</summary>
    private static uint Ask(CpuHotPlug device, byte command, uint index = 0, uint source = 0, uint status = 0)
    {
        device.Out(4, source, 4);
        device.Out(8, status, 4);
        device.Out(0, ((uint)command << 16) | (index & 0xffff), 4);
        return (uint)device.In(0, 4);
    }
}

/// <summary>Processors as flags.</summary>
internal sealed class TestBay : IProcessorBay
{
    private readonly HashSet<int> _present;

    public TestBay(int present) => _present = [.. Enumerable.Range(0, present)];

    public List<int> TakenOut { get; } = [];

    public bool IsPresent(int index) => _present.Contains(index);

    public void PutIn(int index) => _present.Add(index);

    public void TakeOut(int index)
    {
        _present.Remove(index);
        TakenOut.Add(index);
    }
}
