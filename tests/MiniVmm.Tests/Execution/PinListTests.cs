using MiniVmm.Execution;

namespace MiniVmm.Tests.Execution;

public sealed class PinListTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("0,2", 0, 2)]
    [InlineData("2,0", 2, 0)]
    [InlineData("0-3", 0, 1, 2, 3)]
    [InlineData("5-5,1023", 5, 1023)]
    [InlineData("3,0-1,3", 3, 0, 1, 3)]
    public void Numbers_and_ranges_name_a_CPU_for_each_vCPU_in_order(string text, params int[] cpus) =>
        Assert.Equal(cpus, PinList.Parse(text, cpus.Length));

    [Theory]
    [InlineData("", "''")]
    [InlineData("0,", "''")]
    [InlineData(",0", "''")]
    [InlineData("x", "'x'")]
    [InlineData("-1", "'-1'")]
    [InlineData("1-", "'1-'")]
    [InlineData("3-0", "'3-0'")]
    [InlineData("0-1-2", "'0-1-2'")]
    [InlineData("0 ,1", "'0 '")]
    [InlineData("1024", "'1024'")]
    [InlineData("0-1024", "'0-1024'")]
    [InlineData("99999999999", "'99999999999'")]
    [InlineData("0x1", "'0x1'")]
    public void What_is_no_list_is_refused_with_the_part_that_is_wrong(string text, string part)
    {
        string message = Assert.Throws<BadInputException>(() => PinList.Parse(text, 2)).Message;

        Assert.StartsWith($"--pin {text}: {part} is not a host CPU", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0", 2, "names 1 host CPU for 2 vCPUs")]
    [InlineData("0-2", 1, "names 3 host CPUs for 1 vCPU;")]
    public void Too_few_or_too_many_are_refused(string text, int vcpus, string why) =>
        Assert.Contains(
            why, Assert.Throws<BadInputException>(() => PinList.Parse(text, vcpus)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_CPU_that_this_process_may_not_use_is_the_hosts_limit_and_the_others_are_listed()
    {
        PinList.Check([]);

        // Assumes a host with fewer CPUs than cpu_set_t has room for.
        string message = Assert.Throws<HostLimitException>(() => PinList.Check([1023])).Message;

        Assert.Matches(@"^--pin: host CPU 1023 is not available to this process; it may use \d+(,\d+)*$", message);
        int usable = int.Parse(message.Split(' ', ',')[^1]);
        PinList.Check([usable]);
    }

    [Fact]
    public void The_CPUs_that_this_process_may_use_are_listed_once_in_order_and_pass_the_check()
    {
        IReadOnlyList<int> allowed = PinList.Allowed();

        Assert.NotEmpty(allowed);
        Assert.Equal(allowed.Distinct().Order(), allowed);
        PinList.Check(allowed);
        Assert.Throws<HostLimitException>(() => PinList.Check([.. allowed, 1023]));
    }

    [Fact]
    public void A_pinned_thread_has_one_CPU_and_one_that_it_starts_may_have_them_all_again()
    {
        IReadOnlyList<int> all = PinList.Allowed();
        IReadOnlyList<int> pinned = [], unpinned = [];
        Thread thread = new(() =>
        {
            PinList.PinThisThread(all[^1], "the test");
            pinned = PinList.Allowed();
            Thread inner = new(() =>
            {
                PinList.UnpinThisThread();
                unpinned = PinList.Allowed();
            });
            inner.Start();
            inner.Join();
        });
        thread.Start();
        thread.Join();

        Assert.Equal([all[^1]], pinned);
        Assert.Equal(all, unpinned);
    }
}
