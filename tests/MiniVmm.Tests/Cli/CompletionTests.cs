using System.Diagnostics;
using System.Runtime.Versioning;
using MiniVmm.Tools.Reference;

namespace MiniVmm.Tests.Cli;

/// <summary>The scripts for the shells, run by these as they do when somebody presses Tab.</summary>
[SupportedOSPlatform("linux")]
public sealed class CompletionTests
{
    /// <summary>An interactive zsh that says what it offers, where it would put that into the line.</summary>
    private const string Telling = """
        autoload -Uz compinit
        compinit -u -D
        source script
        compadd() {
            local -a offered
            if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
                builtin compadd -O offered "$@"
                (( $#offered )) && print -lr -- offer:$^offered
            fi
            builtin compadd "$@"
        }
        told() { print -r -- told; exit }
        comppostfuncs=(told)
        bindkey '^I' complete-word
        print ready
        """;

    /// <summary>Types a line and a Tab at it.</summary>
    private const string Typing = """
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'source ./telling'
        while zpty -r shell said && [[ $said != ready* ]]; do :; done
        zpty -w -n shell "$1"$'\t'
        while zpty -r shell said && [[ $said != told* ]]; do
            if [[ $said == *offer:* ]]; then print -r -- "${${said##*offer:}%%$'\r'*}"; fi
        done
        """;

    /// <summary>What zsh and fish both complete.</summary>
    public static TheoryData<string, string> Lines => new()
    {
        { "minivmm r", "run" },
        { "minivmm --v", "--version" },
        { "minivmm run --mem-p", "--mem-path --mem-prealloc" },
        { "minivmm run --console st", "stdio" },
        { "minivmm run -cpu kvm32", "kvm32 kvm32-v1" },
        { "minivmm run --smp ", "" },
        { "minivmm run some", "some-kernel some-folder/" },
        { "minivmm run --mem-path some", "some-folder/" },
        { "minivmm ctl w", "web" },
        { "minivmm ctl web st", "start stats stop" },
        { "minivmm completion ", "bash zsh fish" },
    };

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
    [InlineData("minivmm ctl w", "web")]
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
        string[] words = line.Split(' ');
        string script = string.Join('\n', BashCompletion.Script(CommandLines.Root)) + $$"""

            COMP_WORDS=({{string.Join(' ', words.Select(word => $"'{word}'"))}})
            COMP_CWORD={{words.Length - 1}}
            _minivmm
            echo "${COMPREPLY[*]}"
            """;

        Offers(expected, [], "bash", "--noprofile", "--norc", "-u", "-c", script);
    }

    [Theory]
    [MemberData(nameof(Lines))]
    [InlineData("minivmm run --console=st", "stdio")]
    public void Zsh_offers(string line, string expected) => Offers(
        expected.Replace("/", "", StringComparison.Ordinal),
        [("script", string.Join('\n', ZshCompletion.Script(CommandLines.Root))), ("telling", Telling), ("typing", Typing)],
        "timeout", "60", "zsh", "-f", "typing", line);

    [Theory]
    [MemberData(nameof(Lines))]
    [InlineData("minivmm run --console=st", "--console=stdio")]
    public void Fish_offers(string line, string expected) => Offers(
        expected,
        [("script", string.Join('\n', FishCompletion.Script(CommandLines.Root)))],
        "timeout", "60", "fish", "--no-config", "-c", $"source script; complete -C '{line}' | cut -f 1");

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

    /// <summary>Runs a shell in a folder with a file and a folder to offer besides.</summary>
    private static void Offers(
        string expected, (string Name, string Text)[] scripts, string program, params string[] arguments)
    {
        DirectoryInfo all = Directory.CreateTempSubdirectory("minivmm-completion-");
        DirectoryInfo folder = all.CreateSubdirectory("work");
        try
        {
            foreach ((string name, string text) in scripts.Append(("some-kernel", "")))
                File.WriteAllText(Path.Combine(folder.FullName, name), text);
            Directory.CreateDirectory(Path.Combine(folder.FullName, "some-folder"));
            string machines = Path.Combine(all.CreateSubdirectory("bin").FullName, "minivmm");
            File.WriteAllText(machines, "#!/bin/sh\nprintf 'NAME  PID\\nweb    12\\n'\n"); // as ps
            File.SetUnixFileMode(machines, UnixFileMode.UserRead | UnixFileMode.UserExecute);

            string output = Run(program, folder.FullName, arguments);

            Assert.Equal(
                expected.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(),
                output.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Distinct().Order()); // zsh offers some twice
        }
        finally
        {
            all.Delete(recursive: true);
        }
    }

    private static string Run(string program, string folder, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        start.Environment["PATH"] = $"{folder}/../bin:{start.Environment["PATH"]}";
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0 && errors.Result.Length == 0, $"{process.ExitCode}: {errors.Result}");
        return output;
    }
}
