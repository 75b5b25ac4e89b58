using System.ComponentModel;
using System.Diagnostics;

namespace MiniVmm.Tests.Firmware;

/// <summary>Intel's ACPI compiler as a judge of tables: what it reads from them, and what it says of that.</summary>
internal static class Iasl
{
    /// <summary>Disassembles a table and compiles the outcome again; fails on any error or warning of either.</summary>
    /// <returns>The disassembly: ASL, or a listing of fields.</returns>
    public static string Check(string name, byte[] table)
    {
        string folder = Directory.CreateTempSubdirectory("minivmm-iasl-").FullName;
        try
        {
            File.WriteAllBytes(Path.Combine(folder, $"{name}.dat"), table);
            string output = Run(folder, "-d", $"{name}.dat");
            string source = Path.Combine(folder, $"{name}.dsl");
            Assert.True(File.Exists(source), output);
            Assert.DoesNotContain("Error", output, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("Warning", output, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("incorrect checksum", output, StringComparison.OrdinalIgnoreCase);
            string text = File.ReadAllText(source);
            output = Run(folder, "-vs", $"{name}.dsl");
            Assert.Contains("0 Errors, 0 Warnings", output, StringComparison.Ordinal);
            return text;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Run(string folder, params string[] arguments)
    {
        ProcessStartInfo start = new("iasl", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd() + errors.GetAwaiter().GetResult();
            process.WaitForExit();
            return output;
        }
        catch (Win32Exception e)
        {
            Assert.Fail($"iasl cannot be run ({e.Message}): install acpica-tools");
            throw;
        }
    }
}
