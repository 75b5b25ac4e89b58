namespace MiniVmm.Cli;

/// <summary>What MiniVmm itself says, on standard error, one line each.</summary>
internal static class Messages
{
    public static void Error(string message) => Write("minivmm: ", message);

    public static void Warning(string message) => Write("minivmm: warning: ", message);

    private static void Write(string prefix, string message)
    {
        try
        {
            Console.Error.WriteLine(prefix + message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nowhere is left to say it; the exit status still tells.
        }
    }
}
