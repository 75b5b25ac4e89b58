using System.CommandLine;
using MiniVmm.Boot;
using MiniVmm.Cli;
using MiniVmm.Configuration;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Terminal;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Configuration;

public sealed class OptionTextsTests
{
    private static readonly MachineOptions Defaults = new() { Kernel = "kernel" };

    [Fact]
    public void Each_option_goes_to_its_place()
    {
        MachineOptions options = With(
            (OptionName.Kernel, "other"),
            (OptionName.Initrd, "a.img,b.img words"),
            (OptionName.Append, "quiet"),
            (OptionName.Decompress, "guest"),
            (OptionName.Format, "flat16"),
            (OptionName.LoadAddr, "0x8000"),
            (OptionName.Entry, "32772"),
            (OptionName.Smp, "2,maxcpus=4"),
            (OptionName.Cpu, "qemu64,+avx"),
            (OptionName.Pin, "3,1"),
            (OptionName.Mem, "1G"),
            (OptionName.MemPath, "/dev/hugepages"),
            (OptionName.MemPrealloc, "on"),
            (OptionName.MemMerge, "yes"),
            (OptionName.Balloon, "96M"),
            (OptionName.Console, "virtio"),
            (OptionName.Debugcon, "stderr"),
            (OptionName.Rng, "true"),
            (OptionName.VirtioCmdline, "on"),
            (OptionName.Name, "web"),
            (OptionName.Stats, "on"));

        Assert.Equal("other", options.Kernel);
        Assert.Equal([new BootFile("a.img"), new BootFile("b.img", "words")], options.Initrds);
        Assert.Equal(("quiet", Decompression.Guest), (options.CommandLine, options.Decompression));
        Assert.Equal((BinaryFormat.Flat16, 0x8000ul), (options.Format, options.LoadAddress));
        Assert.Equal(new EntryChoice("32772", 0x8004), options.Entry);
        Assert.Equal((2, 4), (options.Topology.Count, options.Topology.MaxCpus));
        Assert.Equal("qemu64,+avx", options.Cpu.Text);
        Assert.Equal([3, 1], options.Pin);
        Assert.Equal(new MemoryOptions(MemoryLayout.GiB, "/dev/hugepages", Prealloc: true, Merge: true), options.Memory);
        Assert.Equal(96 * MemoryLayout.MiB, options.Balloon!.Size);
        Assert.Equal((ConsoleKind.Virtio, DebugConsoleKind.Stderr), (options.Console, options.DebugConsole));
        Assert.True(options is { Rng: true, VirtioOnCommandLine: true, Timed: true, Name: "web" });
    }

    [Fact]
    public void What_may_be_repeated_adds_to_what_is_there()
    {
        MachineOptions options = With(
            (OptionName.Disk, "root.img"),
            (OptionName.Disk, "data.img,ro"),
            (OptionName.Net, "none"),
            (OptionName.Net, "user"),
            (OptionName.Net, "tap=tap0"),
            (OptionName.FwCfg, "opt/a,string=1"),
            (OptionName.FwCfg, "name=opt/b,file=b.txt"),
            (OptionName.Module, "a.mod words"),
            (OptionName.Module, "b.mod"));

        Assert.Equal(["root.img", "data.img"], options.Disks.Select(disk => disk.File));
        Assert.Equal([null, "tap0"], options.Nets.Select(net => net.Interface));
        Assert.Equal(["a.mod words", "b.mod"], options.Modules.Select(module => module.Text));
    }

    [Theory]
    [InlineData("none", ConsoleKind.None, null)]
    [InlineData("stdio", ConsoleKind.Stdio, null)]
    [InlineData("guest.log", ConsoleKind.File, "guest.log")]
    public void A_console_that_is_no_word_is_a_file(string text, ConsoleKind kind, string? file)
    {
        MachineOptions options = With((OptionName.Console, text));

        Assert.Equal((kind, file), (options.Console, options.ConsolePath));
    }

    [Theory]
    [InlineData("auto", DebugConsoleKind.Auto, null)]
    [InlineData("none", DebugConsoleKind.None, null)]
    [InlineData("debug.log", DebugConsoleKind.File, "debug.log")]
    public void A_debug_console_likewise(string text, DebugConsoleKind kind, string? file)
    {
        MachineOptions options = With((OptionName.Debugcon, text));

        Assert.Equal((kind, file), (options.DebugConsole, options.DebugConsolePath));
    }

    [Theory]
    [InlineData(OptionName.Decompress, "never", "--decompress never: use auto or guest")]
    [InlineData(OptionName.Format, "flat", "--format flat: use auto, flat16, flat32 or flat64")]
    [InlineData(OptionName.LoadAddr, "0x", "--load-addr 0x: not an address; use a number, as in 0x7c00")]
    [InlineData(OptionName.LoadAddr, "1M", "--load-addr 1M: not an address; use a number, as in 0x7c00")]
    [InlineData(OptionName.Entry, "", "--entry: name an entry, or an address")]
    [InlineData(OptionName.Rng, "perhaps", "--rng perhaps: use on or off")]
    [InlineData(OptionName.Mem, "much", "--mem much: not a size; use a number with K, M, G or T, as in 256M or 5G")]
    [InlineData(OptionName.Name, "-web", "--name -web: not a valid name; use up to 64 letters, digits, '.', '_' or '-', a letter or digit first")]
    public void A_mistake_names_the_option(OptionName option, string text, string line) =>
        Assert.Equal(line, Assert.Throws<BadInputException>(() => With((option, text))).OnCommandLine());

    [Theory]
    [InlineData(OptionName.Initrd)]
    [InlineData(OptionName.Module)]
    [InlineData(OptionName.MemPath)]
    [InlineData(OptionName.Console)]
    [InlineData(OptionName.Com2)]
    [InlineData(OptionName.Debugcon)]
    [InlineData(OptionName.Cdrom)]
    [InlineData(OptionName.Fda)]
    [InlineData(OptionName.Firmware)]
    [InlineData(OptionName.FirmwareVars)]
    [InlineData(OptionName.ScreenshotAtEnd)]
    [InlineData(OptionName.Core)]
    [InlineData(OptionName.Symbols)]
    public void A_file_has_a_name(OptionName option)
    {
        NamedOption name = new(option);
        Assert.Equal(
            $"{OptionSpelling.Of(name)}: the file name is empty",
            Assert.Throws<BadInputException>(() => With((option, ""))).OnCommandLine());
        Assert.Equal(
            $"{OptionSpelling.Of(name)}: the file name has a NUL in it",
            Assert.Throws<BadInputException>(() => With((option, "a\0b"))).OnCommandLine());
    }

    /// <summary>Nothing, and numbers beyond each type, alone and behind each key that takes one.</summary>
    [Fact]
    public void Whatever_an_option_is_given_it_is_taken_or_refused_in_a_line()
    {
        string[] numbers = ["", "\0", "-1", new('9', 20), $"{new string('9', 10)}T", $"{new string('9', 29)}G"];
        string[] keys =
        [
            "", "0x", ",", "=", "unix:", "tcp::", "vnc=", "vnc=:", "host,tsc-frequency=", "host,phys-bits=", "host,level=", "host,family=",
            "host,hv-spinlocks=", "1,maxcpus=", "1,cores=", "size=", "1,max=", "1,slots=", "a,iops=", "a,bw=", "a,serial=", "file=",
            "user,mtu=", "user,bw=", "user,hostfwd=tcp::", "tap=a,queues=", "nat=10.0.0.0/", "vfio=", "isa-debug-exit,iobase=", "isa-debug-exit,iosize=",
            "a,file=", "a,string=", "type=1,uuid=", "type=11,value=", "order=", "a,tag=", "0-", "1-",
        ];

        foreach (OptionName option in Enum.GetValues<OptionName>().Except([OptionName.Timeout]))
        {
            foreach (string text in from key in keys from number in numbers select key + number)
            {
                try
                {
                    _ = Defaults.With(option, text);
                }
                catch (BadInputException refusal)
                {
                    Assert.StartsWith(OptionSpelling.Of(new(option)), refusal.OnCommandLine(), StringComparison.Ordinal);
                }
            }
        }
    }

    [Theory]
    [InlineData("10", 10)]
    [InlineData("0.5", 0.5)]
    public void Seconds_may_have_a_fraction(string text, double seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), SecondsText.Parse(text, OptionName.Timeout));

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("1e3")]
    [InlineData("1000000001")]
    [InlineData("soon")]
    public void No_other_text_is_a_time(string text) =>
        Assert.Equal(
            $"--timeout {text}: not a number of seconds, such as 10 or 0.5",
            Assert.Throws<BadInputException>(() => SecondsText.Parse(text, OptionName.Timeout)).OnCommandLine());

    [Fact]
    public void Every_option_is_one_of_the_command_lines()
    {
        Command run = CommandLines.Root.Subcommands.Single(command => command.Name == "run");

        Assert.All(
            Enum.GetValues<OptionName>(),
            name => Assert.Contains(OptionSpelling.Of(new(name)), run.Options.Select(option => option.Name)));
    }

    [Fact]
    public void Every_option_of_run_is_read_by_the_library_or_is_runs_own()
    {
        RunCommand run = CommandLines.Root.Subcommands.OfType<RunCommand>().Single();
        string[] own = ["--kernel", "--timeout", "--trace", "--trace-file", "--dry-run", "--explain"]; // an argument too; no machine's options

        Assert.Equal(
            run.Options.Select(option => option.Name).Except(own).Order(StringComparer.Ordinal),
            run.Texts().Select(text => text.Option.Name).Order(StringComparer.Ordinal));
        Assert.All(run.Texts(), text => Assert.Equal(text.Option.Name, OptionSpelling.Of(new(text.Name))));
    }

    [Fact]
    public void The_defaults_that_help_shows_are_those_of_the_library()
    {
        MachineOptions shown = With(
            (OptionName.Smp, "1"),
            (OptionName.Mem, "128M"),
            (OptionName.Cpu, "host"),
            (OptionName.Console, "stdio"),
            (OptionName.Debugcon, "auto"),
            (OptionName.Display, "auto"),
            (OptionName.Decompress, "auto"),
            (OptionName.Format, "auto"),
            (OptionName.Virtio, "mmio"));
        Command run = CommandLines.Root.Subcommands.Single(command => command.Name == "run");
        string[] texts = [.. run.Options.OfType<Option<string>>().Where(option => option.HasDefaultValue)
            .Select(option => (string)option.GetDefaultValue()!).Order(StringComparer.Ordinal)];

        Assert.Equal(["1", "128M", "auto", "auto", "auto", "auto", "host", "mmio", "stdio"], texts);
        Assert.Equal(Defaults.Topology, shown.Topology);
        Assert.Equal(Defaults.Memory, shown.Memory);
        Assert.True(shown.Cpu.Model.IsHost && Defaults.Cpu.Model.IsHost);
        Assert.Equal(
            (Defaults.Console, Defaults.DebugConsole, Defaults.Display, Defaults.Decompression, Defaults.Format, Defaults.Virtio),
            (shown.Console, shown.DebugConsole, shown.Display, shown.Decompression, shown.Format, shown.Virtio));
    }

    private static MachineOptions With(params (OptionName Name, string Text)[] texts) =>
        texts.Aggregate(Defaults, (options, option) => options.With(option.Name, option.Text));
}
