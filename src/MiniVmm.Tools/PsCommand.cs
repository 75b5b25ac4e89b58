using System.CommandLine;
using System.Text.Json;
using MiniVmm.Cli;
using MiniVmm.Control;
using MiniVmm.Control.Verbs;

namespace MiniVmm.Tools;

/// <summary><c>minivmm ps</c>: the machines that <c>minivmm ctl</c> can talk to.</summary>
internal sealed class PsCommand : DocumentedCommand
{
    private readonly Option<bool> _json = new("--json") { Description = "Write JSON instead of the table" };

    public PsCommand()
        : base("ps", "List your running machines that have a name")
    {
        Group("Output", "minivmm ps --json", _json);
        SetAction(Run);
    }

    private int Run(ParseResult line)
    {
        InfoVerb verb = new();
        List<JsonElement> infos = [];
        foreach (string name in RunningMachines.List())
        {
            try
            {
                using ControlClient client = ControlClient.Connect(name);
                infos.Add(client.Ask(verb));
            }
            catch (BadInputException)
            {
                // It has ended in the meantime.
            }
            catch (HostLimitException e)
            {
                Messages.Warning(e.Text);
            }
        }

        if (line.GetValue(_json))
        {
            Answers.WriteJson(writer =>
            {
                writer.WriteStartArray();
                foreach (JsonElement info in infos)
                    info.WriteTo(writer);
                writer.WriteEndArray();
            });
        }
        else
        {
            Answers.Print([InfoVerb.List(infos)]);
        }

        return ExitStatus.Success;
    }
}
