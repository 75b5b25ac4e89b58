using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Serve;
using MiniVmm.Tests.Cli;
using MiniVmm.Tools;

namespace MiniVmm.Tests.Serve;

public sealed class ServeArgumentsTests
{
    [Theory]
    [InlineData("serve a.json", null, "a.json")]
    [InlineData("serve --metrics 9464 a.json b.json", 9464, "a.json b.json")]
    [InlineData("serve a.json --metrics=1", 1, "a.json")]
    [InlineData("serve -- -a.json", null, "-a.json")]
    public void What_the_command_line_says_is_understood(string line, int? port, string files)
    {
        RootCommand root = CommandLines.Root;
        ParseResult result = CommandLine.Parse(root, line.Split(' '));
        ServeCommand command = Assert.IsType<ServeCommand>(result.CommandResult.Command);

        ServeArguments arguments = command.Read(result);

        Assert.Equal(port, arguments.MetricsPort);
        Assert.Equal(files.Split(' '), arguments.Files);
    }

    [Theory]
    [InlineData("serve --metrics 0 a.json", "--metrics 0: not a port; write a number from 1 to 65535")]
    [InlineData("serve --metrics 65536 a.json", "--metrics 65536: not a port; write a number from 1 to 65535")]
    [InlineData("serve --metrics web a.json", "--metrics web: not a port; write a number from 1 to 65535")]
    public void What_is_no_port_is_said(string line, string message)
    {
        ParseResult result = CommandLines.Parse(line.Split(' '));
        ServeCommand command = Assert.IsType<ServeCommand>(result.CommandResult.Command);

        Assert.Equal(message, Assert.Throws<BadInputException>(() => command.Read(result)).Message);
    }
}
