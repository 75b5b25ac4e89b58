using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>powerdown</c>: presses the ACPI power button.</summary>
internal sealed class PowerdownVerb : ControlVerb
{
    private const string Listens = "guestListens";

    private static readonly JsonShape<Press> Shape = new JsonShape<Press>("powerButton")
        .Flag(Listens, press => press.GuestListens, "Whether the guest had enabled the button's event when it was pressed.");

    public override string Name => "powerdown";

    public override string Help => "Press the ACPI power button, which asks the guest to shut down; do not wait for it";

    public override bool ChangesMachine => true;

    internal override JsonShape Answer => Shape;

    internal override Action<Utf8JsonWriter> Execute(VerbCall call) =>
        Shape.Answer(new Press(call.Machine.PressPowerButton()));

    public override VerbOutcome Ask(ControlClient client, VerbArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(client);
        JsonElement content = client.Ask(this, arguments);
        bool listens = new AnswerObject(content).Flag(Listens) ?? throw client.BadReply();
        return new VerbOutcome
        {
            Content = content,
            Shortfall = listens
                ? null
                : "the guest does not listen to its power button: it has no driver for it, or has not loaded it yet; to end "
                    + "the machine, use stop",
        };
    }

    private sealed record Press(bool GuestListens);
}
