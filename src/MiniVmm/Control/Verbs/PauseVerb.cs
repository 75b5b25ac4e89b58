using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>pause</c>: stops the guest until it is resumed.</summary>
internal sealed class PauseVerb : ControlVerb
{
    public override string Name => "pause";

    public override string Help => "Pause the guest until 'resume'; device requests already started are completed first";

    public override bool ChangesMachine => true;

    internal override Action<Utf8JsonWriter>? Execute(VerbCall call)
    {
        call.Machine.Pause();
        return null;
    }
}
