using MiniVmm.Kvm;
using MiniVmm.Teaching.Compare;

namespace MiniVmm.Tests.Teaching;

/// <summary>QEMU's trace events as exits and calls: lines in the form of QEMU 7.2's log backend.</summary>
public sealed class QemuTraceTests
{
    private const string Run = "kvm_vcpu_ioctl cpu_index 0, type 0xae80, arg (nil)";
    private const string Io = "kvm_run_exit cpu_index 0, reason 2";

    [Fact]
    public void An_exit_has_what_was_accessed_and_how_long_it_took()
    {
        ComparedExit exit = Assert.Single(Exits(
            At(100, Run), At(130, Io), At(132, Access("write", 0x3f8, 0x48, 1, "serial")), At(137, Run)));

        Assert.Equal("out 3f8", exit.ToString());
        Assert.Equal((0x48UL, (byte)1, 1U, "serial"), (exit.Value, exit.Size, exit.Count, exit.Device));
        Assert.Equal((30_000L, 7_000L), (exit.Ran, exit.Took));
    }

    [Fact]
    public void A_value_has_no_more_bits_than_the_access()
    {
        ComparedExit exit = Assert.Single(Exits(At(1, Run), At(2, Io), At(3, Access("read", 0xcfc, ulong.MaxValue, 4, "io")), At(4, Run)));

        Assert.Equal(0xffff_ffffUL, exit.Value);
        Assert.Null(exit.Device); // the root of all ports: nobody's
    }

    [Fact]
    public void Parts_of_an_access_are_one_exit_and_gathered_writes_none()
    {
        QemuTraceReader reader = Read(
            At(1, Run), At(2, Io), At(3, Access("write", 0x70, 0xf, 1, "rtc-index")), At(4, Access("read", 0x71, 2, 1, "rtc")), At(5, Run),
            At(6, Io), At(7, Access("read", 0x100, 2, 1, "card")), At(8, Access("read", 0x101, 2, 1, "card")), At(9, Run));

        Assert.Equal(["in 71", "in 100"], reader.Trace.Exits.Select(exit => exit.ToString()));
        Assert.Equal([1U, 2U], reader.Trace.Exits.Select(exit => exit.Count));
        Assert.Equal(1, reader.Trace.Coalesced);
    }

    [Fact]
    public void A_KVM_RUN_without_an_exit_was_a_kick()
    {
        ComparedExit[] exits = Exits(
            At(10, Run), At(20, Run), At(30, Io), At(40, Run), At(50, "kvm_vcpu_ioctl cpu_index 0, type 0x8090ae81, arg 0x7f"), At(60, Run));

        Assert.Equal(["kick", "io", "kick"], exits.Select(exit => exit.ToString()));
        Assert.Equal([10_000L, 10_000L, 10_000L], exits.Select(exit => exit.Ran));
        Assert.Equal(10_000, exits[2].Took);
    }

    [Fact]
    public void An_access_of_another_thread_is_no_exit_s()
    {
        ComparedExit exit = Assert.Single(Exits(
            At(1, Run), At(2, Io), At(3, Access("write", 0xfed00000, 1, 4, "hpet").Replace("cpu 0", "cpu -1", StringComparison.Ordinal)), At(4, Run)));

        Assert.False(exit.IsAccess);
    }

    [Fact]
    public void Calls_are_counted_before_and_since_the_first_KVM_RUN()
    {
        MonitorTrace trace = Read(
            At(1, "kvm_ioctl type 0xae01, arg (nil)"), At(2, "kvm_vm_ioctl type 0x4020ae46, arg 0x7ffc"), At(3, Run),
            At(4, "kvm_vm_ioctl type 0x4020ae46, arg 0x7ffc"), At(5, "kvm_vm_ioctl type 0xaeff, arg (nil)")).Trace;

        Assert.Equal(new CallCount(1, 0), trace.Calls["KVM_CREATE_VM"]);
        Assert.Equal(new CallCount(1, 1), trace.Calls["KVM_SET_USER_MEMORY_REGION"]);
        Assert.Equal(new CallCount(0, 1), trace.Calls["0xaeff"]);
        Assert.DoesNotContain("KVM_RUN", trace.Calls.Keys);
    }

    [Fact]
    public void The_kernel_begins_behind_the_last_exit_that_reads_a_part_of_it()
    {
        QemuTraceReader reader = Read(
            [.. Whole(0x402, "write", "io"), .. Selection(0x11, "kernel_data"), .. Whole(0x511, "read", "fwcfg"), .. Selection(0x10, "kernel_entry"),
             .. Whole(0x511, "read", "fwcfg"), .. Whole(0x511, "read", "fwcfg"), .. Whole(0x3f8, "write", "serial"), At(99, Run)]);

        Assert.True(reader.HasLoadedKernel);
        Assert.Equal(6, reader.Trace.FirmwareExits);
        Assert.Equal("out 3f8", reader.Trace.Exits[6].ToString());
    }

    [Fact]
    public void A_kernel_that_uses_fw_cfg_itself_has_begun()
    {
        QemuTraceReader reader = Read(
            [.. Selection(0x10, "kernel_entry"), .. Whole(0x511, "read", "fwcfg"), .. Selection(0, "signature"), .. Whole(0x511, "read", "fwcfg"), At(99, Run)]);

        Assert.Equal((4, 2), (reader.Trace.Exits.Count, reader.Trace.FirmwareExits));
    }

    [Fact]
    public void Without_a_kernel_all_is_the_firmware_s()
    {
        QemuTraceReader reader = Read([.. Whole(0x402, "write", "io"), .. Selection(0, "signature"), At(99, Run)]);

        Assert.False(reader.HasLoadedKernel);
        Assert.Equal(2, reader.Trace.FirmwareExits);
    }

    [Fact]
    public void A_line_costs_at_most_what_is_between_two_cheap_calls()
    {
        const string check = "kvm_ioctl type 0xae03, arg 0x1";

        Assert.Equal(2, Read(At(1, check), At(3, check), At(5, check), At(50, "kvm_ioctl type 0xae01, arg (nil)"), At(90, check)).LineCost);
        Assert.Equal(0, Read(At(1, check)).LineCost);
    }

    [Theory]
    [InlineData("qemu-system-x86_64: warning: something")]
    [InlineData("1@2.000003:")]
    [InlineData("1@2.3:kvm_run_exit cpu_index 0, reason 2")]
    [InlineData("x@2.000003:kvm_run_exit cpu_index 0, reason 2")]
    [InlineData("1@99999999999999999999.000003:kvm_run_exit cpu_index 0, reason 2")]
    [InlineData("1@2.000003:kvm_run_exit cpu_index 0, reason")]
    [InlineData("1@2.000003:kvm_run_exit cpu_index -1, reason 2")]
    [InlineData("1@2.000003:kvm_run_exit cpu_index 999999, reason 2")]
    [InlineData("1@2.000003:kvm_vcpu_ioctl cpu_index 0, type ae80, arg (nil)")]
    [InlineData("1@2.000003:memory_region_ops_read cpu 0 mr 0x1 addr 0x2 value 0x3 size 9 name 'x'")]
    [InlineData("1@2.000003:memory_region_ops_read cpu 0 mr 0x1 addr 0x22222222222222222 value 0x3 size 1 name 'x'")]
    [InlineData("1@2.000003:another_event cpu 0")]
    public void A_damaged_line_is_counted_and_passed_over(string line)
    {
        QemuTraceReader reader = Read(At(1, Run), line, At(3, Io), At(4, Run));

        Assert.Equal((3L, 1L), (reader.Lines, reader.BadLines));
        Assert.Single(reader.Trace.Exits);
    }

    [Fact]
    public void A_line_without_an_end_is_not_read()
    {
        string text = string.Join('\n', At(1, Run), At(2, Io), At(3, Run), At(4, "kvm_run_exit cpu_index 0, reason 17"));
        int whole = Read(text.Split('\n')[..3]).Trace.Exits.Count;

        for (int length = 0; length <= text.Length; length++)
        {
            using StringReader cut = new(text[..length]);
            IReadOnlyList<ComparedExit> exits = QemuTraceReader.Read(cut).Trace.Exits;
            Assert.True(exits.Count <= whole);
            Assert.All(exits, exit => Assert.Equal(KvmExitReason.KVM_EXIT_IO, exit.Reason));
        }
    }

    [Fact]
    public void A_line_without_bounds_takes_no_memory()
    {
        QemuTraceReader reader = Read(At(1, Run), new string('x', 1_000_000), At(3, Io));

        Assert.Equal((2L, 1L), (reader.Lines, reader.BadLines));
    }

    internal static string At(int microseconds, string arguments) => $"7311@1796028213.{microseconds:d6}:{arguments}";

    internal static string Access(string way, ulong address, ulong value, int size, string region) =>
        $"memory_region_ops_{way} cpu 0 mr 0x55d7d5387c00 addr 0x{address:x} value 0x{value:x} size {size} name '{region}'";

    internal static QemuTraceReader Read(params IEnumerable<string> lines)
    {
        using StringReader text = new(string.Concat(lines.Select(line => line + '\n')));
        return QemuTraceReader.Read(text);
    }

    private static string[] Whole(ulong port, string way, string region) => [At(1, Run), At(2, Io), At(3, Access(way, port, 0, 1, region))];

    private static string[] Selection(int key, string name) =>
        [At(1, Run), At(2, Io), At(3, Access("write", 0x510, (ulong)key, 2, "fwcfg")), At(4, $"fw_cfg_select 0x55 key 0x{key:x4} '{name}', ret: 1")];

    private static ComparedExit[] Exits(params IEnumerable<string> lines) => [.. Read(lines).Trace.Exits];
}
