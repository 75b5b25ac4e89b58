using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>stop</c>: ends the machine.</summary>
internal sealed class StopVerb : ControlVerb
{
    /// <summary>How long a machine may take to end.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public override string Name => "stop";

    public override string Help => "End the machine, as SIGTERM does, and wait for its process to exit";

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
            Shortfall = client.WaitForEnd(Patience)
                ? null
                : $"the machine was told to end but has not done so in {Patience.TotalSeconds} s",
        };
    }
}
