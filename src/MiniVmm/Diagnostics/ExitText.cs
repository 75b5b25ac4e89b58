using System.Globalization;
using System.Text;
using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Diagnostics;

/// <summary>The last exits of a vCPU, one a line.</summary>
internal static class ExitText
{
    /// <summary>As in "port 0x3f8 &lt;- 0x41"; those that are the same one after another are counted.</summary>
    public static void Append(StringBuilder text, IEnumerable<ExitRecord> exits)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<(string Line, int Times)> lines = [];
        StringBuilder typed = new();
        ExitRecord before = default;
        foreach (ExitRecord exit in exits)
        {
            // Text that goes out byte by byte is read more easily in one piece.
            bool isText = exit is { Kind: ExitKind.PortWrite, Size: 1, Count: 1, Value: >= ' ' and <= '~' or '\n' or '\r' };
            if (typed.Length > 0 && (!isText || exit.Address != before.Address))
                Flush();
            if (isText)
            {
                typed.Append((char)exit.Value);
                before = exit;
                continue;
            }

            string line = Describe(exit);
            if (lines.Count > 0 && lines[^1].Line == line)
                lines[^1] = (line, lines[^1].Times + 1);
            else
                lines.Add((line, 1));
        }

        if (typed.Length > 0)
            Flush();
        if (lines.Count == 0)
            return;
        text.Append("  last exits, the latest at the end:\n");
        foreach ((string line, int times) in lines)
            text.Append(CultureInfo.InvariantCulture, $"    {line}{(times > 1 ? $", {times} times" : "")}\n");

        void Flush()
        {
            string line = typed.Length == 1
                ? Describe(before)
                : $"port 0x{before.Address:x} <- \"{typed.Replace("\n", "\\n").Replace("\r", "\\r")}\"";
            lines.Add((line, 1));
            typed.Clear();
        }
    }

    private static string Describe(in ExitRecord exit)
    {
        string items = exit.Count > 1 ? $", first of {exit.Count}" : "";
        string value = $"0x{exit.Value.ToString($"x{exit.Size * 2}", CultureInfo.InvariantCulture)}{items}";
        return exit.Kind switch
        {
            ExitKind.PortWrite => $"port 0x{exit.Address:x} <- {value}",
            ExitKind.PortRead => $"port 0x{exit.Address:x} -> {value}",
            ExitKind.MmioWrite => $"memory 0x{exit.Address:x} <- {value}",
            ExitKind.MmioRead => $"memory 0x{exit.Address:x} -> {value}",
            _ => ((KvmExitReason)exit.Reason).ToString(),
        };
    }
}
