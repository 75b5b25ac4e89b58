namespace MiniVmm.Guest.Tests;

public sealed class ClockTests
{
    private const byte Century = 0x32; // 0x19 and then 0x20, in BCD

    [Theory]
    [InlineData(51, "run", "--rtc", "1999-12-31T23:59:00", "KERNEL")]
    [InlineData(65, "run", "--rtc", "2000-01-01", "KERNEL")]
    [InlineData(51, "qemu", "-kernel", "KERNEL", "-rtc", "base=1999-12-31,clock=host", "-display", "none", "-device", "isa-debug-exit,iobase=0xf4")]
    public async Task The_guests_clock_starts_with_the_date_that_it_is_given(int status, params string[] words)
    {
        using TemporaryFolder folder = new();
        string kernel = folder.Write("clock.bin", FlatKernel.EndingWithClock(Century));

        MinivmmResult run = await MinivmmProcess.RunAsync([.. words.Select(word => word == "KERNEL" ? kernel : word)]);

        run.With(status);
    }

    [Fact]
    public async Task A_kernel_that_counts_the_clocks_periodic_interrupts_gets_them()
    {
        using TemporaryFolder folder = new();

        MinivmmResult run = await MinivmmProcess.RunAsync("run", folder.Write("ticks.bin", FlatKernel.CountingClockTicks(200)));

        run.With(3);
    }

    [Fact]
    public async Task A_date_that_is_none_is_named()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--rtc", "noon", "kernel");

        Assert.Equal(
            "--rtc noon: no time, such as utc, localtime, 2026-02-28 or 2026-02-28T23:59:50",
            run.With(ExitStatus.BadInput).OnlyLine());
    }
}
