using MiniVmm.Cli;

namespace MiniVmm.Tests.Cli;

/// <summary>What the command line's user reads.</summary>
internal static class CommandLineText
{
    /// <summary>The error's line, with options as they are typed.</summary>
    public static string OnCommandLine(this VmmException error) => error.Text.OnCommandLine();

    /// <inheritdoc cref="OnCommandLine(VmmException)"/>
    public static string OnCommandLine(this OptionMessage message) => message.Spelled(OptionSpelling.Of);

    /// <summary>For whoever is to have nothing to say.</summary>
    public static void Fail(OptionMessage message) => Assert.Fail(message.OnCommandLine());
}
