using System.Text.Json;
using MiniVmm.Control;

namespace MiniVmm.Tests.Control;

/// <summary>A verb with an argument of each kind, as somebody would add one: in one file.</summary>
internal sealed class RepeatVerb : ControlVerb
{
    private static readonly TextArgument Text = new("text", "TEXT", maxLength: 8)
    {
        Help = "what to say",
        IsRequired = true,
    };

    private static readonly NumberArgument Times = new("times", "N", minimum: -1, maximum: 3)
    {
        Help = "how often",
        IsRequired = true,
    };

    private static readonly SizeArgument Limit = new("limit", "SIZE") { Help = "how much of it" };

    private static readonly JsonShape<Said> Shape = new JsonShape<Said>("said")
        .Text("text", said => said.Text)
        .Bytes("limit", said => said.Limit)
        .OptionalWord("mood", ["loud", "soft"], said => said.Limit > 9 ? "loud" : null);

    public override string Name => "repeat";

    public override string Help => "Say something again";

    public override IReadOnlyList<VerbArgument> Arguments => [Text, Times, Limit];

    public override bool ChangesMachine => false;

    internal override JsonShape Answer => Shape;

    internal override Action<Utf8JsonWriter> Execute(VerbCall call)
    {
        Assert.True(call.Arguments.TryGet(Text, out string? text));
        Assert.True(call.Arguments.TryGet(Times, out long times));
        call.Arguments.TryGet(Limit, out ulong limit);
        return Shape.Answer(new(string.Concat(Enumerable.Repeat(text, (int)Math.Max(0, times))), limit));
    }

    private sealed record Said(string Text, ulong Limit);
}
