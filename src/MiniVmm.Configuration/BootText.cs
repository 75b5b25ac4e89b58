using MiniVmm.Machine;

namespace MiniVmm.Configuration;

/// <summary>
/// What firmware boots from: <c>[order=]DRIVES[,once=DRIVES][,menu=on|off]</c>, as QEMU has it: <c>once</c> is the order until the guest
/// resets its machine, where that does not end it.
/// </summary>
public static class BootText
{
    /// <exception cref="BadInputException">It is not of that form; the message says which part.</exception>
    public static BootOrder Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string? order = null, once = null;
        bool menu = false;
        foreach (string part in text.Split(','))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            string value = part[(equals + 1)..];
            switch (equals < 0 ? "order" : part[..equals])
            {
                case "order" when order is null:
                    order = Check(text, value);
                    break;
                case "once" when once is null:
                    once = Check(text, value);
                    break;
                case "menu":
                    menu = SwitchText.TryParse(value, out bool on) ? on : throw Wrong(text, $"'{part}': {SwitchText.Problem}");
                    break;
                case "strict" or "splash" or "splash-time" or "reboot-timeout":
                    break; // of a screen and of a second start, which there are not
                default:
                    throw Wrong(text, $"'{part}' is unknown, or one too many; use [order=]DRIVES and menu=on");
            }
        }

        BootOrder usual = new MachineOptions().BootOrder;
        return new(order ?? usual.Drives, menu) { Once = once };
    }

    private static string Check(string text, string drives)
    {
        if (drives.Length is 0 or > BootOrder.MaxDrives || drives.Distinct().Count() < drives.Length)
            throw Wrong(text, $"'{drives}': give one to {BootOrder.MaxDrives} different letters");
        return drives.AsSpan().IndexOfAnyExcept("acdn") < 0
            ? drives
            : throw Wrong(text, $"'{drives}': use a for floppies, c for disks, d for CD-ROM, n for networks");
    }

    private static BadInputException Wrong(string text, string what) => new($"{OptionName.Boot.With(text)}: {what}");
}
