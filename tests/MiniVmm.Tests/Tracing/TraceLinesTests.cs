using MiniVmm.Kvm;
using MiniVmm.Tracing;

namespace MiniVmm.Tests.Tracing;

public sealed class TraceLinesTests
{
    [Fact]
    public void An_exit_is_a_line_with_time_duration_vCPU_place_instruction_and_what_the_device_did() =>
        Assert.Equal(
            "   0.001234    4.5   1  100010 main+0x10              out dx,al           io 3f8 <- 48  COM1: transmit 'H'",
            Format(Serial()));

    [Fact]
    public void A_64_bit_kernels_address_leaves_room_for_its_name()
    {
        TraceRecord record = Serial();
        record.Rip = 0xffff_ffff_816c_2276;
        record.Symbol = "io_serial_out+0x16";

        Assert.Contains("   1  …816c2276 io_serial_out+0x16  out dx,al  ", Format(record), StringComparison.Ordinal);
        record.Symbol = null;
        Assert.Contains("   1  ffffffff816c2276  ", Format(record), StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_is_where_no_device_is()
    {
        TraceRecord record = Serial();
        record.Device = record.Words = null;

        Assert.EndsWith("io 3f8 <- 48  nobody's", Format(record));
    }

    [Fact]
    public void Long_names_are_cut_and_no_line_is_longer_than_160_columns()
    {
        TraceRecord record = Serial();
        record.Rip = ulong.MaxValue;
        record.Symbol = new string('s', 100);
        record.Instruction = new string('i', 100);
        record.Words = new string('w', 100);

        string line = Format(record);

        Assert.Equal(160, line.Length);
        Assert.Equal(Format(Serial()).IndexOf("io 3f8", StringComparison.Ordinal), line.IndexOf("io 3f8", StringComparison.Ordinal));
    }

    [Fact]
    public void Other_exits_are_told_by_their_reason()
    {
        TraceRecord record = new()
        {
            Event = new() { Kind = TraceEventKind.Exit, Reason = (uint)KvmExitReason.KVM_EXIT_SHUTDOWN, Slot = TraceEvent.NoSlot },
            Vcpu = 0,
        };
        Assert.EndsWith(" shutdown", Format(record));

        record.Event.Reason = (uint)KvmExitReason.KVM_EXIT_X86_WRMSR;
        (record.Event.Address, record.Event.Value) = (0x1234, 0x56);
        Assert.EndsWith(" x86_wrmsr 1234 <- 56: #GP", Format(record));
    }

    [Fact]
    public void A_devices_thread_has_its_name_where_a_vCPU_has_its_instruction()
    {
        TraceRecord record = new()
        {
            Event = new() { Kind = TraceEventKind.Request },
            Thread = "virtio disk0",
            Device = "disk0",
            Words = "read 8 sectors at 2048",
            Entered = 1,
            Exited = 1.00025,
            Served = 1.00025,
        };

        Assert.Equal(
            "   1.000250  250.0   -  virtio disk0                                      disk0: read 8 sectors at 2048", Format(record));
    }

    [Fact]
    public void Losses_are_the_last_line()
    {
        using StringWriter text = new();
        TraceLines lines = new(text);

        lines.End(new TraceTotals(100, 12, [], TimeSpan.Zero));

        Assert.Equal("12 events lost: they came faster than their lines could be written\n", text.ToString());
    }

    private static TraceRecord Serial() => new()
    {
        Event = new() { Kind = TraceEventKind.PortWrite, Reason = 2, Size = 1, Count = 1, Address = 0x3f8, Value = 0x48 },
        Vcpu = 1,
        Exited = 0.001234,
        Served = 0.0012385,
        Rip = 0x10_0010,
        Symbol = "main+0x10",
        Instruction = "out dx,al",
        Device = "COM1",
        Words = "transmit 'H'",
    };

    private static string Format(TraceRecord record) => new TraceLines(TextWriter.Null).Format(record);
}
