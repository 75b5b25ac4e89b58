using System.Globalization;
using System.Text.RegularExpressions;

namespace MiniVmm.Guest.Tests;

/// <summary>The count of <c>--stats</c>, and the promise it shows: an exit allocates nothing.</summary>
public sealed partial class StatisticsTests : IClassFixture<UsableKvm>
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Ten_thousand_port_exits_are_counted_and_allocate_nothing(int vcpus)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--stats", "--smp", $"{vcpus}", Built.Guest("crash.elf"), "--append", "exits 10000");

        run.With(ExitStatus.Success);
        Assert.Contains("crash: 10000 port exits done\n", run.Output);
        long[] exits = Row(run.Errors, "KVM_EXIT_IO");
        Assert.Equal(vcpus, exits.Length);
        Assert.True(exits[0] >= 10_000, run.Errors);
        Assert.True(Row(run.Errors, "all")[0] >= exits[0], run.Errors);
        Assert.Equal(new long[vcpus], Row(run.Errors, "bytes allocated"));
    }

    [Theory]
    [InlineData("smp.elf", "", ExitStatus.Success)]
    [InlineData("hello.elf", "", ExitStatus.Success)]
    [InlineData("crash.elf", "bad-mmio", ExitStatus.Success)]
    [InlineData("crash.elf", "triple", ExitStatus.GuestCrash)]
    [InlineData("crash.elf", "loop-io", ExitStatus.Timeout)]
    public async Task No_guest_makes_a_vCPU_allocate(string kernel, string append, int status)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--stats", "--timeout", status == ExitStatus.Timeout ? "0.5" : "1000", "--smp", "2",
            Built.Guest(kernel), "--append", append);

        run.With(status);
        Assert.Equal([0, 0], Row(run.Errors, "bytes allocated"));
    }

    [Fact]
    public async Task They_say_where_the_time_of_the_start_went_and_what_the_memory_is()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--stats", "--mem", "64M", Built.Guest("exit-code.elf"));

        run.With(1);
        string[] steps = ["arguments read", "kernel read", "VM created", "first exit of a vCPU", "end: "];
        Assert.All(steps, step => Assert.Matches($"(?m)^{step}.* [0-9]+\\.[0-9]{{3}} ms$", run.Errors));
        Assert.Contains("guest RAM: 64 MiB, ", run.Errors);
    }

    /// <summary>The numbers of the one row with this name, a vCPU each.</summary>
    private static long[] Row(string table, string name)
    {
        string row = Assert.Single(table.Split('\n'), line => line.StartsWith(name + "  ", StringComparison.Ordinal));
        return [.. Spaces.Split(row.Trim()).Skip(1)
            .Select(number => long.Parse(number, NumberStyles.AllowThousands, CultureInfo.InvariantCulture))];
    }

    [GeneratedRegex("  +")]
    private static partial Regex Spaces { get; }
}
