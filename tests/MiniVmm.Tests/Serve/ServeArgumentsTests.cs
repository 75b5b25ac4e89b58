using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Serve;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Serve;

public sealed class ServeArgumentsTests
{
    [Theory]
    [InlineData("serve a.json", null, "a.json")]
    [InlineData("serve --metrics 9464 a.json b.json", 9464, "a.json b.json")]
    [InlineData("serve a.json --metrics=1", 1, "a.json")]
    [InlineData("serve -- -a.json", null, "-a.json")]
    public void What_the_command_line_hands_over_is_understood(string line, int? port, string files)
    {
        RootCommand root = CommandLines.Root;
        ParseResult result = CommandLine.Parse(root, line.Split(' '));
        ServeCommand command = Assert.IsType<ServeCommand>(result.CommandResult.Command);

        ServeArguments arguments = ServeArguments.Parse(command.Handover(result).Skip(1).ToArray());

        Assert.Equal(port, arguments.MetricsPort);
        Assert.Equal(files.Split(' '), arguments.Files);
    }

    [Theory]
    [InlineData("", "no configuration given; write minivmm serve FILE.json")]
    [InlineData("--metrics 9464", "no configuration given; write minivmm serve FILE.json")]
    [InlineData("--verbose a.json", "unknown option --verbose; see minivmm serve --help")]
    [InlineData("--metrics 0 a.json", "--metrics 0: not a port; write a number from 1 to 65535")]
    [InlineData("--metrics 65536 a.json", "--metrics 65536: not a port; write a number from 1 to 65535")]
    [InlineData("--metrics web a.json", "--metrics web: not a port; write a number from 1 to 65535")]
    public void What_cannot_be_served_is_said(string line, string message) => Assert.Equal(
        message,
        Assert.Throws<BadInputException>(() =>
            ServeArguments.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries))).Message);
}
