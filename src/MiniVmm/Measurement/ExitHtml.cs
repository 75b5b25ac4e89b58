namespace MiniVmm.Measurement;
/// <summary>A measurement as one page.</summary>
public static class ExitHtml
{
    public static void Write(ExitReport report, Stream stream)
    {
    }
}
