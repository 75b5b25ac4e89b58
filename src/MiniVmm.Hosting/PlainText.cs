namespace MiniVmm.Hosting;

/// <summary>Text of a guest's or a file's, made fit for a log and a terminal.</summary>
internal static class PlainText
{
    /// <summary>The text with U+FFFD for each control character but the tabulator.</summary>
    public static string Of(string text) => text.Any(IsControl)
        ? string.Create(text.Length, text, static (plain, text) =>
        {
            for (int i = 0; i < plain.Length; i++)
                plain[i] = IsControl(text[i]) ? '\ufffd' : text[i];
        })
        : text;

    private static bool IsControl(char letter) => char.IsControl(letter) && letter != '\t';
}
