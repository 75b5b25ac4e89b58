using System.Text.Json;

namespace MiniVmm.Control.Verbs;

/// <summary><c>screenshot</c>: what the guest's screen shows. The machine sends the picture; the client writes the file, as itself.</summary>
internal sealed class ScreenshotVerb : ControlVerb
{
    private const string Png = "png";

    private static readonly JsonShape<Picture> Shape = new JsonShape<Picture>("screenshot")
        .Binary(Png, picture => picture.Png, "The screen as a PNG file, in Base64.");

    private static readonly TextArgument File =
        new("file", "FILE", 4096) { Help = "the PNG file to write", IsRequired = true, IsLocal = true };

    public override string Name => "screenshot";

    public override string Help => "Write what the guest's screen shows to a PNG file";

    public override IReadOnlyList<VerbArgument> Arguments => [File];

    public override bool ChangesMachine => false;

    internal override JsonShape Answer => Shape;

    /// <summary>The largest screen, had it no two dots alike, in Base64.</summary>
    internal override int LongestAnswer => 32 << 20;

    internal override Action<Utf8JsonWriter> Execute(VerbCall call) => Shape.Answer(new Picture(call.Machine.Screenshot()));

    public override VerbOutcome Ask(ControlClient client, VerbArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(arguments);
        JsonElement content = client.Ask(this, arguments);
        byte[] picture = new AnswerObject(content).Binary(Png) ?? throw client.BadReply();
        if (arguments.TryGet(File, out string? path))
            Write(path, picture);
        return new VerbOutcome { Content = content };
    }

    private static void Write(string path, byte[] picture)
    {
        try
        {
            System.IO.File.WriteAllBytes(path, picture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new BadInputException($"{path}: cannot be written: {e.Message}", e);
        }
    }

    private sealed record Picture(byte[] Png);
}
