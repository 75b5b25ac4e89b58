using MiniVmm.Configuration;
using MiniVmm.Machine;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Configuration;

public sealed class GdbTextTests
{
    [Theory]
    [InlineData("1234", "127.0.0.1:1234")]
    [InlineData(":1234", "127.0.0.1:1234")]
    [InlineData("tcp::1234", "127.0.0.1:1234")]
    [InlineData("localhost:9", "127.0.0.1:9")]
    [InlineData("0.0.0.0:1234", "0.0.0.0:1234")]
    [InlineData("[::1]:1234", "[::1]:1234")]
    [InlineData("unix:/run/gdb", "unix:/run/gdb")]
    public void Gdb_has_an_address(string text, string address) =>
        Assert.Equal(address, new MachineOptions().With(OptionName.Gdb, text).Gdb!.ToString());

    [Theory]
    [InlineData("", "--gdb : '' is not a port, HOST:PORT or unix:PATH")]
    [InlineData("0", "--gdb 0: '0' is not a port, HOST:PORT or unix:PATH")]
    [InlineData("70000", "--gdb 70000: '70000' is not a port, HOST:PORT or unix:PATH")]
    [InlineData("unix:", "--gdb unix:: the path is missing")]
    [InlineData("example:1", "--gdb example:1: 'example' is not an IP address")]
    public void Anything_else_is_an_error(string text, string message) => Assert.Equal(
        message,
        Assert.Throws<BadInputException>(() => new MachineOptions().With(OptionName.Gdb, text)).OnCommandLine());
}
