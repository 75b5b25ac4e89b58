using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>resume</c>: lets a paused guest run again.</summary>
internal sealed class ResumeVerb : ControlVerb
{
    public override string Name => "resume";

    public override string Help => "Let a paused guest run again";

    public override bool ChangesMachine => true;

    internal override Action<Utf8JsonWriter>? Execute(VerbCall call)
    {
        call.Machine.Resume();
        return null;
    }
}
