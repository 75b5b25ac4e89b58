namespace MiniVmm.Tests;

public sealed class ExitStatusTests
{
    [Theory]
    [InlineData(0u, 1)]
    [InlineData(21u, 43)]
    [InlineData(0x80u, 1)]
    public void Debug_exit_is_odd_and_keeps_eight_bits(uint value, int status) =>
        Assert.Equal(status, ExitStatus.FromDebugExit(value));
}
