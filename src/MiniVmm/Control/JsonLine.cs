using System.Text.Json;

namespace MiniVmm.Control;

/// <summary>
/// Lines from the other end of a control socket. .NET's parser accepts escaped lone surrogates ("\ud800") and bytes that are
/// not UTF-8, and throws only when such a name or string is read: here they are refused with the line.
/// </summary>
internal static class JsonLine
{
    /// <param name="line">One JSON value, with or without a newline.</param>
    /// <param name="options">How deep it may be, and whether a name may come twice.</param>
    /// <exception cref="JsonException">It is not JSON, or a name or string in it is not Unicode text.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> line, JsonDocumentOptions options = default)
    {
        Utf8JsonReader reader = new(line.Span, new JsonReaderOptions { MaxDepth = options.MaxDepth });
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String)
                CheckText(ref reader);
        }

        return JsonDocument.Parse(line, options);
    }

    private static void CheckText(ref Utf8JsonReader reader)
    {
        try
        {
            reader.GetString();
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException("not Unicode text", e);
        }
    }
}
