using System.Diagnostics;
using MiniVmm.Tools.Reference;

namespace MiniVmm.Tests.Cli;

/// <summary>The script for bash, run by bash as its completion does.</summary>
public sealed class CompletionTests
{
    [Theory]
    [InlineData("minivmm r", "run")]
    [InlineData("minivmm ", "run debug test trace compare-qemu qemu serve ps top watch ctl devices doctor cpuid bench completion man")]
    [InlineData("minivmm --v", "--version")]
    [InlineData("minivmm run --mem-p", "--mem-path --mem-prealloc")]
    [InlineData("minivmm run --console st", "stdio")]
    [InlineData("minivmm run --console = st", "stdio")]
    [InlineData("minivmm run --decompress ", "auto guest")]
    [InlineData("minivmm run --cpu qemu", "qemu64 qemu64-v1 qemu32 qemu32-v1")]
    [InlineData("minivmm run -cpu kvm32", "kvm32 kvm32-v1")]
    [InlineData("minivmm run --net t", "tap=")]
    [InlineData("minivmm run --append ps --dr", "--dry-run")]
    [InlineData("minivmm run --append = bench --dr", "--dry-run")]
    [InlineData("minivmm run --balloon --dr", "--dry-run")]
    [InlineData("minivmm run --smp ", "")]
    [InlineData("minivmm run --kernel some", "some-kernel some-folder")]
    [InlineData("minivmm run some", "some-kernel some-folder")]
    [InlineData("minivmm run --mem-path some", "some-folder")]
    [InlineData("minivmm run kernel some", "")]
    [InlineData("minivmm ctl web st", "start stats stop")]
    [InlineData("minivmm ctl web balloon ", "")]
    [InlineData("minivmm bench ", "exits")]
    [InlineData("minivmm bench exits --only pio-", "pio-out pio-in")]
    [InlineData("minivmm bench exits --disturb n", "none neighbour")]
    [InlineData("minivmm test ", "merge some-kernel some-folder")]
    [InlineData("minivmm test one some", "some-kernel some-folder")]
    [InlineData("minivmm test --junit some", "some-kernel some-folder")]
    [InlineData("minivmm test merge one some", "some-kernel some-folder")]
    [InlineData("minivmm test merge --js", "--json")]
    [InlineData("minivmm completion ", "bash zsh fish")]
    public void Bash_offers(string line, string expected)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("minivmm-completion-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "some-kernel"), "");
            Directory.CreateDirectory(Path.Combine(folder.FullName, "some-folder"));
            string[] words = line.Split(' ');
            string script = string.Join('\n', BashCompletion.Script(CommandLines.Root)) + $$"""

                COMP_WORDS=({{string.Join(' ', words.Select(word => $"'{word}'"))}})
                COMP_CWORD={{words.Length - 1}}
                _minivmm
                echo "${COMPREPLY[*]}"
                """;

            string output = Run("bash", folder.FullName, "--noprofile", "--norc", "-u", "-c", script);

            Assert.Equal(
                expected.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(),
                output.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Order());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Zsh_and_fish_are_given_each_option()
    {
        string[] zsh = [.. ZshCompletion.Script(CommandLines.Root)];
        string[] fish = [.. FishCompletion.Script(CommandLines.Root)];

        Assert.All(CommandPage.Tree(CommandLines.Root).SelectMany(CommandPage.Options).Distinct(), option =>
        {
            Assert.Contains(zsh, line => line.Contains($"{option.Name}=[", StringComparison.Ordinal)
                || line.Contains($"{option.Name}[", StringComparison.Ordinal));
            Assert.Contains(fish, line => line.Contains($" -l {option.Name[2..]} ", StringComparison.Ordinal));
        });
    }

    private static string Run(string program, string folder, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0 && errors.Result.Length == 0, $"{process.ExitCode}: {errors.Result}");
        return output;
    }
}
