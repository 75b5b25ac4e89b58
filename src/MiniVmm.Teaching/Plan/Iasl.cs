using System.ComponentModel;
using System.Diagnostics;

namespace MiniVmm.Teaching.Plan;

/// <summary>ACPICA's disassembler, where it is installed (Debian's package acpica-tools).</summary>
internal static class Iasl
{
    /// <summary>A table in its words, without the comment above; null where iasl is not installed, or makes nothing of it.</summary>
    public static string? Disassemble(AcpiDump.Table table)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("minivmm-acpi-");
        try
        {
            string binary = Path.Combine(folder.FullName, "table.dat");
            File.WriteAllBytes(binary, table.Bytes.Span);
            ProcessStartInfo start = new("iasl", ["-d", binary]) { RedirectStandardOutput = true, RedirectStandardError = true };
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            _ = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            _ = errors.GetAwaiter().GetResult();
            string text = Path.Combine(folder.FullName, "table.dsl");
            return File.Exists(text) ? WithoutHeader(File.ReadAllText(text)) : null;
        }
        catch (Exception e) when (e is Win32Exception or IOException or UnauthorizedAccessException)
        {
            return null;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>What is behind the comment in which iasl tells of itself, with one blank line where there are several.</summary>
    internal static string WithoutHeader(string text)
    {
        const string end = "*/";
        int at = text.IndexOf(end, StringComparison.Ordinal);
        string body = text[(at < 0 ? 0 : at + end.Length)..].Trim('\n', '\r');
        while (body.Contains("\n\n\n", StringComparison.Ordinal))
            body = body.Replace("\n\n\n", "\n\n", StringComparison.Ordinal);
        return body;
    }
}
