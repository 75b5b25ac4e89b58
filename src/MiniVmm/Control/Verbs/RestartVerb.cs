using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>restart</c>: a machine of a host shuts down and runs again.</summary>
internal sealed class RestartVerb : ControlVerb
{
    public override string Name => "restart";

    public override string Help => "Stop a machine of 'minivmm serve' as 'stop' does, start it again, and wait until it runs";

    public override bool ChangesMachine => true;

    internal override Action<Utf8JsonWriter>? Execute(VerbCall call)
    {
        call.MachineHost.Restart();
        return null;
    }

    public override VerbOutcome Ask(ControlClient client, VerbArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(client);
        long? before = InfoVerb.Look(client).Restarts;
        client.Ask(this, arguments);
        MachineState? seen = null;
        StateWait.End end = StateWait.Until(client, look =>
            (seen = look.State) == MachineState.Failed || (look.Restarts > before && seen != MachineState.Starting));
        return new VerbOutcome { Shortfall = StateWait.Shortfall(end, seen, "restarted") };
    }
}
