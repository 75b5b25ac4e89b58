using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>pause</c>: the guest's time stands still.</summary>
internal sealed class PauseVerb : ControlVerb
{
    public override string Name => "pause";

    public override string Help => "Stop the guest's time until 'resume'; requests that its devices had begun are done first";

    public override bool ChangesMachine => true;

    internal override Action<Utf8JsonWriter>? Execute(VerbCall call)
    {
        call.Machine.Pause();
        return null;
    }
}
