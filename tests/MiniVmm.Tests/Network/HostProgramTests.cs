using MiniVmm.Network;

namespace MiniVmm.Tests.Network;

public sealed class HostProgramTests
{
    private static readonly NamedOption Option = OptionName.Net.With("nat");
    private static readonly HostProgram Shell = new("sh", "dash");

    [Fact]
    public void A_program_that_fails_before_it_has_read_all_is_told_with_its_own_complaint()
    {
        string more = new('x', 1 << 20); // than a pipe takes

        HostLimitException error = Assert.Throws<HostLimitException>(
            () => Shell.Run(Option, ["-c", "exec <&-; echo no rules today >&2; exit 3"], more));

        Assert.Equal("Net nat: sh failed with status 3: no rules today", error.Message);
    }

    [Fact]
    public void A_program_that_needs_no_more_of_its_input_and_succeeds_has_succeeded() =>
        Shell.Run(Option, ["-c", "exec <&-"], new string('x', 1 << 20));

    [Fact]
    public void A_program_gets_all_of_its_input() =>
        Shell.Run(Option, ["-c", "test $(wc -c) = 1048576"], new string('x', 1 << 20));
}
