using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests;

public sealed class OptionMessageTests
{
    [Fact]
    public void Options_are_spelled_by_whoever_shows_the_message()
    {
        OptionMessage message = $"{OptionName.Mem.With("4G")}: too much; give less {OptionName.Mem}, or {OptionName.MemPath}";

        Assert.Equal("--mem 4G: too much; give less --mem, or --mem-path", message.OnCommandLine());
        Assert.Equal("Mem 4G: too much; give less Mem, or MemPath", message.ToString());
    }

    [Fact]
    public void The_option_that_it_begins_with_is_its_subject()
    {
        OptionMessage about = $"{OptionName.Net.With("user")}: no thread; leave out {OptionName.Balloon}";
        OptionMessage beside = $"kernel: does not fit; give more {OptionName.Mem}";
        OptionMessage none = "no kernel given";

        Assert.Equal(OptionName.Net.With("user"), about.Subject);
        Assert.Equal([OptionName.Net.With("user"), new(OptionName.Balloon)], about.Options);
        Assert.Null(beside.Subject);
        Assert.Null(none.Subject);
        Assert.Equal("no kernel given", none.OnCommandLine());
    }

    [Fact]
    public void A_message_may_be_a_part_of_another()
    {
        OptionMessage remedy = $"use {OptionName.Cpu}";
        OptionMessage whole = $"{OptionName.Smp}: {remedy}; or {remedy}";

        Assert.Equal("--smp: use --cpu; or use --cpu", whole.OnCommandLine());
    }

    [Fact]
    public void Values_are_written_as_everywhere()
    {
        string? nothing = null;
        OptionMessage message = $"{1234567} 0x{0xbeefUL:x} {0.5} {true} {nothing}{OptionName.Rng}.";

        Assert.Equal("1234567 0xbeef 0.5 True --rng.", message.OnCommandLine());
    }

    [Fact]
    public void An_error_says_which_option_with_which_value()
    {
        BadInputException error = new($"{OptionName.VirtioCmdline.With("maybe")}: write on or off");

        Assert.Equal(new NamedOption(OptionName.VirtioCmdline, "maybe"), error.Subject);
        Assert.Equal("VirtioCmdline maybe: write on or off", error.Message);
        Assert.Equal("--virtio-cmdline maybe: write on or off", error.OnCommandLine());
    }
}
