namespace MiniVmm.Cli.Qemu;

/// <summary>What a command line of QEMU's may ask instead of a machine.</summary>
internal static class QemuQuestion
{
    /// <returns>The option's name without a dash, such as <c>cpu</c> for <c>-cpu help</c>; null if nothing is asked.</returns>
    public static string? Find(ReadOnlySpan<string> options)
    {
        for (int i = 0; i < options.Length; i++)
        {
            if (QemuOptions.Find(options[i]) is not { } option)
                continue;
            string value = option.TakesValue && i + 1 < options.Length ? options[++i] : "";
            if (option.Name is "help-qemu" or "h" or "help" or "version"
                || (value is "help" or "?" && option.Name is "cpu" or "M" or "machine" or "accel" or "device" or "d"))
            {
                return option.Name;
            }
        }

        return null;
    }
}
