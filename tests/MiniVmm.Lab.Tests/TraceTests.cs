using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace MiniVmm.Lab.Tests;

/// <summary>A trace of a whole boot of Linux, with a disk on the PCI bus.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed partial class TraceTests
{
    [Theory]
    [InlineData("trace.json")]
    [InlineData("trace.pftrace")]
    public async Task The_summary_of_a_boot_agrees_with_the_statistics_to_the_count(string name)
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory().FullName, name);
        await using VmmProcess vmm = LinuxGuest.Start(
            $"trace-{name}", "report,poweroff", ["--smp", "2", "--mem", "256M", "--stats", "--trace-file", file]);
        await vmm.AssertExitAsync(ExitStatus.Success);

        (string summary, string remarks) = await SummarizeAsync(file);

        Dictionary<string, long[]> counted = Exits(vmm.Errors);
        Assert.True(counted["all"].Sum() > 1000);
        Assert.Equivalent(counted, Exits(summary), strict: true);
        Assert.Matches("(?m)^bytes allocated +0 +0", vmm.Errors);
        Assert.DoesNotContain("did not fit", remarks, StringComparison.Ordinal);
        if (!name.EndsWith(".json", StringComparison.Ordinal))
            return;
        using FileStream content = File.OpenRead(file);
        using JsonDocument json = await JsonDocument.ParseAsync(content, cancellationToken: TestContext.Current.CancellationToken);
        foreach (JsonElement item in json.RootElement.GetProperty("traceEvents").EnumerateArray())
        {
            Assert.Contains(item.GetProperty("ph").GetString(), (string?[])["X", "M", "C", "s", "t", "f"]);
            _ = (item.GetProperty("pid").GetInt32(), item.GetProperty("tid").GetInt32(), item.GetProperty("ts").GetDecimal());
        }
    }

    [Fact]
    public async Task Each_exit_of_a_kernel_shows_an_instruction_that_can_have_made_it()
    {
        await using VmmProcess vmm = LinuxGuest.Start("trace-lines", "poweroff", ["--mem", "256M", "--trace", "io,limit=2000"]);
        await vmm.AssertExitAsync(ExitStatus.Success);

        string[] lines = [.. vmm.ErrorLines.Skip(1)];
        Assert.InRange(lines.Length, 200, 2000); // a quiet boot has some 460
        Assert.All(lines, line => Assert.Matches(Access(), line));
        Assert.Contains(lines, line => line.Contains(" io_serial_out+0x", StringComparison.Ordinal)); // by the kernel's own symbols
    }

    [Fact]
    public async Task A_System_map_names_the_functions_of_a_kernel_that_KASLR_has_moved()
    {
        const ulong Linked = 0xffff_ffff_8100_0000;
        string map = Path.Combine(Directory.CreateTempSubdirectory().FullName, "System.map");
        await using (GuestShell guest = await GuestShell.StartAsync("trace-map", "", "--mem", "256M"))
        {
            string[][] symbols =
            [
                .. (await guest.RunAsync("grep -E ' (_text|io_serial_out|linux_banner|hex_asc|_end)$' /proc/kallsyms"))
                    .Split('\n', StringSplitOptions.TrimEntries).Select(line => line.Split(' ')),
            ];
            ulong moved = Address(symbols.Single(symbol => symbol[2] == "_text")) - Linked;
            await File.WriteAllLinesAsync(
                map,
                symbols.Select(symbol => $"{Address(symbol) - moved:x16} {symbol[1]} {symbol[2].Replace("io_serial_out", "by_map", StringComparison.Ordinal)}"),
                TestContext.Current.CancellationToken);
            await guest.PowerOffAsync();
        }

        await using VmmProcess vmm = LinuxGuest.Start("trace-by-map", "poweroff", ["--mem", "256M", "--trace", "io,limit=2000", "--symbols", map]);
        await vmm.AssertExitAsync(ExitStatus.Success);

        Assert.Contains(vmm.ErrorLines, line => Regex.IsMatch(line, @" by_map\+0x[0-9a-f]{1,2} "));
        Assert.DoesNotContain(" io_serial_out+", vmm.Errors, StringComparison.Ordinal);

        static ulong Address(string[] symbol) => ulong.Parse(symbol[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }

    private static async Task<(string Output, string Errors)> SummarizeAsync(string file)
    {
        using Process process = Process.Start(new ProcessStartInfo(Lab.MiniVmm, ["trace", "summary", file])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
        return (output, await errors);
    }

    private static Dictionary<string, long[]> Exits(string text)
    {
        string[] lines = text.Split('\n');
        int start = Array.FindIndex(lines, line => line.StartsWith("exits by reason", StringComparison.Ordinal));
        Assert.True(start >= 0, text);
        return lines.Skip(start + 1).TakeWhile(line => line.Trim().Length > 0).Select(line => Spaces().Split(line.Trim())).ToDictionary(
            cells => cells[0],
            cells => cells.Skip(1).Select(cell => long.Parse(cell, NumberStyles.AllowThousands, CultureInfo.InvariantCulture)).ToArray());
    }

    [GeneratedRegex("  +")]
    private static partial Regex Spaces();

    [GeneratedRegex(@" (out|outsb|outsw|outsd|rep outs.) .* io [0-9a-f]+ <- | (in|insb|insw|insd|rep ins.) .* io [0-9a-f]+ -> ")]
    private static partial Regex Access();
}
