using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>start</c>: a machine of a host runs again.</summary>
internal sealed class StartVerb : ControlVerb
{
    public override string Name => "start";

    public override string Help => "Start a machine of 'minivmm serve' that is stopped, or waits for its restart";

    public override bool ChangesMachine => true;

    internal override Action<Utf8JsonWriter>? Execute(VerbCall call)
    {
        call.MachineHost.Start();
        return null;
    }

    public override VerbOutcome Ask(ControlClient client, VerbArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(client);
        client.Ask(this, arguments);
        MachineState? seen = null;
        StateWait.End end = StateWait.Until(
            client, look => (seen = look.State) is not (MachineState.Starting or MachineState.Restarting));
        return new VerbOutcome { Shortfall = StateWait.Shortfall(end, seen, "started") };
    }
}
