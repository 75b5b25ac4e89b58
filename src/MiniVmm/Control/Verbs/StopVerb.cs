using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>stop</c>: ends the machine.</summary>
internal sealed class StopVerb : ControlVerb
{
    public override string Name => "stop";

    public override string Help => "End the machine, as SIGTERM does, and wait for its process to exit, or for its host to stop it";

    public override bool ChangesMachine => true;

    internal override Action<Utf8JsonWriter>? Execute(VerbCall call)
    {
        call.Machine.Stop();
        return null;
    }

    public override VerbOutcome Ask(ControlClient client, VerbArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(client);
        client.Ask(this, arguments);
        return new VerbOutcome
        {
            Shortfall = StateWait.Until(client, look => look.State is MachineState.Stopped or MachineState.Failed)
                is StateWait.End.TooLong
                ? $"the machine was told to end but has not done so in {StateWait.Patience.TotalSeconds} s"
                : null,
        };
    }
}
