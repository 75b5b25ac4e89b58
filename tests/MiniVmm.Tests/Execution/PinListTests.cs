using MiniVmm.Execution;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Execution;

public sealed class PinListTests
{
    [Theory]
    [InlineData("--pin 0: names 1 host CPU for 2 vCPUs; name one for each", 2, 0)]
    [InlineData("--pin 0-2: names 3 host CPUs for 1 vCPU; name one for each", 1, 0, 1, 2)]
    [InlineData("--pin 2,0,1,7: names 4 host CPUs for 3 vCPUs; name one for each", 3, 2, 0, 1, 7)]
    public void Too_few_or_too_many_are_refused(string refusal, int vcpus, params int[] cpus) =>
        Assert.Equal(
            refusal, Assert.Throws<BadInputException>(() => PinList.RequireOneFor(vcpus, cpus)).OnCommandLine());

    [Fact]
    public void One_for_each_will_do_and_none_too()
    {
        PinList.RequireOneFor(3, [2, 0, 1]);
        PinList.RequireOneFor(3, []);
    }

    [Fact]
    public void A_CPU_that_this_process_may_not_use_is_the_hosts_limit_and_the_others_are_listed()
    {
        PinList.Check([]);

        // Assumes a host with fewer CPUs than cpu_set_t has room for.
        string message = Assert.Throws<HostLimitException>(() => PinList.Check([1023])).OnCommandLine();

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
