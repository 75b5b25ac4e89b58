namespace MiniVmm.Guest.Tests;

/// <summary>The other test kernels, each of which looks closely at one part of the machine.</summary>
public sealed class KernelTests : IClassFixture<UsableKvm>
{
    [Theory]
    [InlineData("0", 1)]
    [InlineData("1", 3)]
    [InlineData("21", 43)]
    [InlineData("0x15", 43)]
    [InlineData("127", 255)]
    public async Task The_guest_chooses_an_odd_exit_status(string value, int status)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest("exit-code.elf"), "--append", value);

        run.With(status);
        Assert.EndsWith("exit-code: ok\n", run.Output);
        Assert.Equal("", run.Errors);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task Processors_share_memory_and_interrupt_each_other(int count)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--smp", $"{count}", Built.Guest("smp.elf"));

        run.With(ExitStatus.Success);
        Assert.Contains($"counter {count * 1000}, ipis {count}: ok\n", run.Output);
        Assert.EndsWith("smp: ok\n", run.Output);
    }

    [Theory]
    [InlineData("2M", "2 MiB in 2 ranges")]
    [InlineData("64M", "64 MiB in 2 ranges")]
    [InlineData("64", "64 MiB in 2 ranges")]
    [InlineData("3G", "3072 MiB in 2 ranges")]
    [InlineData("5G", "5120 MiB in 3 ranges")]
    public async Task All_memory_is_there_and_each_word_its_own(string size, string summary)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--mem", size, Built.Guest("memory.elf"));

        run.With(ExitStatus.Success);
        Assert.Contains($"memory: {summary}: ok\n", run.Output);
    }

    [Theory]
    [InlineData()]
    [InlineData("--mem-prealloc")]
    public async Task Memory_in_files_is_as_good_and_no_file_shows(params string[] options)
    {
        using TemporaryFolder folder = new();

        MinivmmResult run = await MinivmmProcess.RunAsync(
            ["run", "--mem", "64M", "--mem-path", folder.Path, .. options, Built.Guest("memory.elf")]);

        run.With(ExitStatus.Success);
        Assert.Contains("memory: 64 MiB in 2 ranges: ok\n", run.Output);
        Assert.Empty(folder.Entries);
    }

    [Theory]
    [InlineData("--mem-prealloc")]
    [InlineData("--mem-merge")]
    public async Task Anonymous_memory_that_is_populated_or_merged_is_as_good(string option)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--mem", "64M", option, Built.Guest("memory.elf"));

        run.With(ExitStatus.Success);
        Assert.Contains("memory: 64 MiB in 2 ranges: ok\n", run.Output);
    }

    [Theory]
    [InlineData("timer")]
    [InlineData("real-mode")]
    [InlineData("int3")]
    public async Task It_finds_its_part_of_the_machine_in_order(string kernel)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest($"{kernel}.elf"));

        run.With(ExitStatus.Success);
        Assert.EndsWith($"{kernel}: ok\n", run.Output);
        Assert.DoesNotContain("FAILED", run.Output);
    }

    [Fact]
    public async Task A_kernel_that_sets_no_more_than_a_count_has_its_timer_at_vector_8()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--timeout", "30", Built.Guest("timer.elf"));

        run.With(ExitStatus.Success);
        Assert.Contains("  PIT as firmware left it  5 interrupts\n", run.Output);
    }

    [Theory]
    [InlineData("pio-out")]
    [InlineData("pio-in")]
    [InlineData("mmio-write")]
    [InlineData("mmio-read")]
    [InlineData("cpuid")]
    [InlineData("rdmsr")]
    [InlineData("nothing")]
    public async Task The_guest_does_as_many_exits_of_a_kind_as_it_is_told(string kind)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest("exits.elf"), "--append", $"{kind} 100");

        run.With(ExitStatus.FromDebugExit(0));
        Assert.Equal($"exits: 100 {kind} done\nexits: ok\n", run.Output);
        Assert.Equal("", run.Errors);
    }

    [Fact]
    public async Task Addresses_where_nothing_is_read_as_all_ones()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest("crash.elf"), "--append", "bad-mmio");

        run.With(ExitStatus.Success);
        Assert.Contains("reads 0xff, 0xffff, 0xffffffff\n", run.Output);
    }

    [Fact]
    public async Task A_guest_that_is_not_content_ends_with_3()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest("crash.elf"), "--append", "no-such-kind");

        run.With(ExitStatus.FromDebugExit(1));
        Assert.Contains("crash: FAILED: no such kind of crash\n", run.Output);
    }
}
