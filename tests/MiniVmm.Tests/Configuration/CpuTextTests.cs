using CsCheck;
using MiniVmm.Configuration;
using MiniVmm.Cpu;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Configuration;

public sealed class CpuTextTests
{
    private static (string, bool)[] Changes(string text) =>
        [.. CpuText.Parse(text).Changes.Select(change => (change.Feature.Name, change.On))];

    [Fact]
    public void Host_is_everything_and_opens_no_file()
    {
        // A directory there cannot be read: it would be an error if it were opened.
        CpuSelection selection = CpuText.Parse("host", "/proc/self/mem");

        Assert.True(selection.Model.IsHost);
        Assert.Empty(selection.Changes);
    }

    [Fact]
    public void Features_are_added_and_removed_in_all_of_qemus_spellings() =>
        Assert.Equal(
            [("avx", true), ("pni", false), ("x2apic", true), ("aes", false), ("rdrand", true)],
            Changes("qemu64,+avx,-sse3,+x2apic,aes=off,rdrand=on"));

    [Fact]
    public void The_last_word_on_a_feature_counts() =>
        Assert.Equal([("avx", false)], Changes("host,+avx,avx=on,-avx"));

    [Fact]
    public void Properties_change_the_model()
    {
        CpuSelection selection = CpuText.Parse(
            "qemu64,vendor=GenuineIntel,family=6,model=0x3c,stepping=4,"
            + "level=0x16,xlevel=0x80000008,model-id=My CPU");
        CpuModel model = selection.Model;

        Assert.Equal("GenuineIntel", model.Vendor);
        Assert.Equal((6u, 0x3Cu, 4u), (model.Family, model.Model, model.Stepping));
        Assert.Equal((0x16u, 0x80000008u), (selection.Properties.Level, selection.Properties.XLevel));
        Assert.Equal("My CPU", model.ModelId);
        Assert.NotEmpty(model.Features!);
    }

    [Theory]
    [InlineData("", "--cpu: no model; use host, or a model's name as in qemu64,+avx")]
    [InlineData(",+avx", "--cpu: no model; use host, or a model's name as in qemu64,+avx")]
    [InlineData("host,+avx22", "--cpu host,+avx22: no CPU feature is called 'avx22'; did you mean avx2?")]
    [InlineData("host,avx=maybe", "--cpu host,avx=maybe: 'avx=maybe' is neither on nor off")]
    [InlineData("host,pkuu=on", "--cpu host,pkuu=on: no CPU feature is called 'pkuu'; did you mean pku?")]
    [InlineData("host,,+avx", "--cpu host,,+avx: an empty part; remove a comma")]
    [InlineData(
        "host,vendor=Intel", "--cpu host,vendor=Intel: vendor 'Intel' is not 12 ASCII characters, as in GenuineIntel")]
    [InlineData("host,level=0", "--cpu host,level=0: level '0' is not a number from 1 to 255")]
    [InlineData("host,xlevel=8", "--cpu host,xlevel=8: xlevel '8' is not a number from 0x80000001 to 0x800000ff")]
    [InlineData("host,family=271", "--cpu host,family=271: family '271' is not a number from 0 to 270")]
    [InlineData(
        "host,tsc-freq=100000000000000000000G",
        "--cpu host,tsc-freq=100000000000000000000G: tsc-freq '100000000000000000000G' is not a frequency in Hz, as in 2500000000 or 2.5G")]
    [InlineData("host,stepping=x", "--cpu host,stepping=x: stepping 'x' is not a number from 0 to 15")]
    public void A_bad_text_is_refused_in_one_line(string text, string message) =>
        Assert.Equal(message, Assert.Throws<BadInputException>(() => CpuText.Parse(text)).OnCommandLine());

    [Theory]
    [InlineData("haswell", "did you mean Haswell?")]
    [InlineData("EPYC-Roma", "did you mean EPYC-Rome?")]
    [InlineData("hosts", "did you mean host?")]
    [InlineData("Cray-1-supercomputer", "no such model; --cpu help lists them")]
    public void An_unknown_model_gets_the_closest_one_and_the_way_to_the_list(string text, string part)
    {
        BadInputException error = Assert.Throws<BadInputException>(() => CpuText.Parse(text));

        Assert.StartsWith($"--cpu {text}: no such model; ", error.OnCommandLine(), StringComparison.Ordinal);
        Assert.Contains(part, error.OnCommandLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void Any_text_gives_a_selection_or_one_clear_line() =>
        Gen.String[Gen.Char["host,+-=avxlev0123456789onf "], 0, 20].Sample(
            tail =>
            {
                try
                {
                    Assert.Equal("host", CpuText.Parse("host," + tail).Model.Name);
                }
                catch (BadInputException error)
                {
                    Assert.StartsWith("--cpu ", error.OnCommandLine(), StringComparison.Ordinal);
                }
            },
            iter: 500,
            threads: 1);
}
