using System.CommandLine;
using System.Text.Json;
using MiniVmm.Cli.Output;
using MiniVmm.Cli.Reference;
using MiniVmm.Control;

namespace MiniVmm.Cli;

/// <summary><c>minivmm ctl NAME …</c>: asks a running machine something, or to do something.</summary>
internal sealed class CtlCommand : DocumentedCommand
{
    /// <summary>How long a guest may get no further with its balloon; it frees memory in bursts.</summary>
    private static readonly TimeSpan BalloonStall = TimeSpan.FromSeconds(5);

    /// <summary>How long a machine may take to end.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(30);

    private readonly Argument<string> _name = new("NAME")
    {
        Description = "The machine, by its --name; minivmm ps lists those running",
    };
    private readonly Argument<string> _command = new("COMMAND")
    {
        HelpName = "info|stats|balloon|stop",
        Description = "info; stats; balloon [SIZE]; stop, which ends the machine as SIGTERM does",
    };
    private readonly Argument<string?> _size = new("SIZE")
    {
        Arity = ArgumentArity.ZeroOrOne,
        Description = "What the guest gives up, as in 96M: the balloon's size, not what the guest keeps "
            + "(QEMU's monitor has it the other way round); 0 gives all back",
    };
    private readonly Option<bool> _json = new("--json") { Description = "Write the answer as JSON" };

    // A machine may be called `stats`: with subcommands the parser would take its name for one.
    public CtlCommand()
        : base("ctl", "Look at a running machine, size its balloon, or end it")
    {
        Arguments.Add(_name);
        Arguments.Add(_command);
        Arguments.Add(_size);
        Group("Output", "minivmm ctl web balloon 96M", _json);
        SetAction(Run);
    }

    private int Run(ParseResult line)
    {
        string command = line.GetValue(_command)!;
        string? size = line.GetValue(_size);
        bool json = line.GetValue(_json);
        if (command is not ("info" or "stats" or "balloon" or "stop"))
            throw new BadInputException($"ctl: no command is called '{command}'; write info, stats, balloon or stop");
        if (size is not null && command != "balloon")
            throw new BadInputException($"ctl {command}: '{size}' is one word too many");
        ulong? bytes = size is null ? null : ByteSize.Parse(size, "balloon");
        using ControlClient client = ControlClient.Connect(line.GetValue(_name)!);
        return command switch
        {
            "balloon" => Balloon(client, bytes, json),
            "stop" => Stop(client),
            "info" => Show(client, "info", "info", json),
            _ => Show(client, "stats", "statistics", json),
        };
    }

    private static int Show(ControlClient client, string command, string member, bool json)
    {
        JsonElement content = client.AskFor(command, member);
        if (json)
            ControlTables.WriteJson(content.WriteTo);
        else if (command == "info")
            ControlTables.PrintMachines([content]);
        else
            ControlTables.PrintStatistics(content);
        return ExitStatus.Success;
    }

    private static int Balloon(ControlClient client, ulong? bytes, bool json)
    {
        BalloonState state = bytes is { } wanted ? client.SetBalloon(wanted, BalloonStall) : client.Balloon();
        if (json)
        {
            ControlTables.WriteJson(writer =>
            {
                writer.WriteStartObject();
                writer.WriteNumber("targetBytes", state.TargetBytes);
                writer.WriteNumber("actualBytes", state.ActualBytes);
                writer.WriteEndObject();
            });
        }
        else
        {
            Standard.Output.WriteLine($"balloon: {ControlTables.Balloon(state)}");
        }

        if (bytes is null || state.ActualBytes == state.TargetBytes)
            return ExitStatus.Success;
        Messages.Error(state.ActualBytes < state.TargetBytes
            ? $"ctl {client.Name} balloon: the guest has given up {Size(state.ActualBytes)} of "
                + $"{Size(state.TargetBytes)} and gets no further: it needs the rest, or has no balloon driver (yet)"
            : $"ctl {client.Name} balloon: the guest still keeps {Size(state.ActualBytes)} in its balloon, not "
                + $"{Size(state.TargetBytes)}; it gets no further");
        return ExitStatus.HostLimit;
    }

    private static int Stop(ControlClient client)
    {
        client.Ask("stop").Dispose();
        if (client.WaitForEnd(StopPatience))
            return ExitStatus.Success;
        Messages.Error($"machine {client.Name} was told to end, and has not in {StopPatience.TotalSeconds} s");
        return ExitStatus.HostLimit;
    }

    private static string Size(ulong bytes) => bytes == 0 ? "nothing" : ByteSize.Format(bytes);
}
