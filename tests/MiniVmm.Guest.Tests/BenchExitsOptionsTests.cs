namespace MiniVmm.Guest.Tests;

/// <summary>What cannot be measured as asked is told in one line, before anything is measured.</summary>
public sealed class BenchExitsOptionsTests
{
    [Theory]
    [InlineData("'pio-sideways'", "--only", "pio-out,pio-sideways")]
    [InlineData("''", "--only", "pio-out,")]
    [InlineData("--count 9:", "--count", "9")]
    [InlineData("--count 1835009:", "--count", "1835009")]
    [InlineData("--count many:", "--count", "many")]
    [InlineData("--count 99999999999999999999:", "--count", "99999999999999999999")]
    [InlineData("--count 5:", "--rounds", "6", "--count", "5")]
    [InlineData("--rounds 0:", "--rounds", "0")]
    [InlineData("--rounds 1001:", "--rounds", "1001")]
    [InlineData("--warmup -1:", "--warmup", "-1")]
    [InlineData("--warmup 1e3:", "--warmup", "1e3")]
    [InlineData("--seed-order 2147483648:", "--seed-order", "2147483648")]
    [InlineData("--pin x:", "--pin", "x")]
    [InlineData("--pin 0,1,2:", "--pin", "0,1,2")]
    [InlineData("--pin 1024:", "--pin", "1024")]
    [InlineData("--pin :", "--pin", "")]
    [InlineData("--disturb noise:", "--disturb", "noise")]
    [InlineData("--json and --csv", "--json", "--csv")]
    [InlineData("/nonexistent/page.html:", "--html", "/nonexistent/page.html")]
    [InlineData("/nonexistent/guest:", "--write-guest", "/nonexistent/guest")]
    [InlineData("/:", "--html", "/")]
    [InlineData("see minivmm bench exits --help", "--counts", "10")]
    [InlineData("see minivmm bench exits --help", "everything")]
    public async Task A_value_that_cannot_be_meant_is_named(string named, params string[] options)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(["bench", "exits", .. options]);

        Assert.Contains(named, run.With(ExitStatus.BadInput).OnlyLine());
    }

    [Fact]
    public async Task A_host_CPU_that_is_not_there_is_the_hosts_limit()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("bench", "exits", "--pin", "999");

        Assert.StartsWith("--pin: host CPU 999 is not available", run.With(ExitStatus.HostLimit).OnlyLine());
    }

    [Fact]
    public async Task Without_a_usable_KVM_there_is_one_line()
    {
        MinivmmResult run = await OtherUser.RunAsync("bench", "exits", "--json");

        Assert.StartsWith("/dev/kvm: permission denied", run.With(ExitStatus.HostLimit).OnlyLine());
    }

    [Fact]
    public async Task Help_of_only_lists_every_kind_and_needs_no_KVM()
    {
        MinivmmResult run = await OtherUser.RunAsync("bench", "exits", "--only", "help");

        Assert.Equal("", run.With(ExitStatus.Success).Errors);
        Assert.All(
            ExitsReport.Kinds, kind => Assert.Matches($"(?m)^{kind} +(host|guest|partner|call) +\\S", run.Output));
    }

    [Fact]
    public async Task Help_names_each_option()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("bench", "exits", "--help");

        run.With(ExitStatus.Success);
        string[] options = ["only", "count", "warmup", "rounds", "seed-order", "pin", "disturb", "histogram", "json",
            "csv", "html", "write-guest"];
        Assert.All(options, option => Assert.Matches($"(?m)^  (-., )?--{option}( .*)?(\n +| +)[A-Z]", run.Output));
    }
}
