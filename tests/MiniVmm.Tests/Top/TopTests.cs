using System.Text.Json;
using MiniVmm.Host;
using MiniVmm.Tools.Top;

namespace MiniVmm.Tests.Top;

public sealed class TopTests
{
    private const string Info = """{ "name": "web", "state": "running", "kernel": "k.elf", "pid": 7 }""";

    [Fact]
    public void Threads_of_vCPUs_tell_their_times()
    {
        string root = Directory.CreateTempSubdirectory("minivmm-top-").FullName;
        // proc_pid_stat(5): 14 is utime, 15 stime, 43 guest_time; the name is 2.
        string fields = $"S {string.Join(' ', Enumerable.Repeat(0, 10))} 90 20 {string.Join(' ', Enumerable.Repeat(0, 27))} 80 0";
        Write("70", $"70 (minivmm) {fields}");
        Write("71", $"71 (vcpu0) {fields}");
        Write("72", "72 (vcpu11) S 1 1");
        Write("73", $"73 (vcpux) {fields}");

        Dictionary<int, VcpuTime> times = VcpuTime.Read(new HostFiles(root), 7);

        Assert.Equal(new VcpuTime(Guest: 80, Kernel: 20, Monitor: 10), Assert.Single(times).Value);
        Assert.Empty(VcpuTime.Read(new HostFiles(root), 8));

        void Write(string task, string stat)
        {
            string folder = Path.Combine(root, "proc", "7", "task", task);
            Directory.CreateDirectory(folder);
            File.WriteAllText(Path.Combine(folder, "stat"), stat + "\n");
        }
    }

    [Fact]
    public void Two_looks_make_rates_and_shares()
    {
        MachineHistory machine = new("web");
        machine.Add(Sample(10, 1000, 50, 100, new(100, 10, 10)));
        Assert.Empty(machine.Rates);

        machine.Add(Sample(12, 1600, 70, 110, new(220, 50, 20)));

        Assert.Equal([310], machine.Rates);
        Assert.Equal([300], machine.Reasons()["KVM_EXIT_IO"]);
        Assert.Equal(["KVM_EXIT_IO", "KVM_EXIT_MMIO"], machine.Reasons().Keys);
        Assert.Equal((0.6, 0.2, 0.05), machine.Shares(0));
        Assert.Equal(default, machine.Shares(1));
        Assert.Equal(5, machine.DeviceRate(("disk0", "requests")));
    }

    [Fact]
    public void What_KVM_counts_is_shown_while_it_happens_and_said_to_be_missing_where_it_is()
    {
        MachineHistory machine = new("web");
        machine.Add(Sample(10, 0, 0, 0, default, ""","kvm": { "halt_exits": 100, "hypercalls": 3 }, "kvmNanoseconds": { "halt_wait_ns": 1000000000 }"""));
        machine.Add(Sample(12, 0, 0, 0, default, ""","kvm": { "halt_exits": 500, "hypercalls": 3, "nmi_injections": 4 }, "kvmNanoseconds": { "halt_wait_ns": 2500000000 }"""));
        MachineHistory old = new("old");
        old.Add(Sample(10, 0, 0, 0, default));

        Assert.Equal(200, Assert.Single(machine.Counted()["halt_exits"]));
        Assert.Equal(2, Assert.Single(machine.Counted()["nmi_injections"])); // left out as long as it was 0
        Assert.DoesNotContain("hypercalls", machine.Counted().Keys);
        Assert.Contains(TopPage.Lines([machine], TopView.Exits, 0, 100, 25), line => line.StartsWith("halt_exits", StringComparison.Ordinal));
        Assert.Contains(TopPage.Lines([machine], TopView.Exits, 0, 100, 25), line => line.StartsWith("halt_wait_ns, of its time", StringComparison.Ordinal) && line.EndsWith(" 75%", StringComparison.Ordinal));
        Assert.Contains(TopPage.Lines([old], TopView.Exits, 0, 100, 25), line => line.Contains("Linux 5.14", StringComparison.Ordinal));
    }

    [Fact]
    public void One_that_starts_again_begins_anew()
    {
        MachineHistory machine = new("web");
        machine.Add(Sample(10, 1000, 0, 0, default));
        machine.Add(Sample(11, 2000, 0, 0, default));
        machine.End();
        Assert.Equal(0, machine.Rate);

        machine.Add(Sample(1, 10, 0, 0, default));

        Assert.False(machine.HasEnded);
        Assert.Equal([0], machine.Reasons()["KVM_EXIT_IO"]);
    }

    [Fact]
    public void Answers_of_another_version_are_nothing() => Assert.Null(MachineSample.Of(
        JsonDocument.Parse(Info).RootElement, JsonDocument.Parse("""{ "uptimeSeconds": "long" }""").RootElement, []));

    [Theory]
    [InlineData("", 3, "   ")]
    [InlineData("0", 1, " ")]
    [InlineData("1 2 4 8", 4, "▁▂▄█")]
    [InlineData("8 1 2", 2, "▄█")]
    [InlineData("1", 3, "  █")]
    public void A_sparkline_ends_with_the_newest_value(string values, int width, string line) => Assert.Equal(
        line, Sparkline.Of([.. values.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(double.Parse)], width));

    [Fact]
    public void Keys_have_meanings()
    {
        Assert.Equal(TopKey.Up, TopKeys.Of("\e[A"u8));
        Assert.Equal(TopKey.Down, TopKeys.Of("\eOB"u8));
        Assert.Equal(TopKey.Back, TopKeys.Of("\e"u8));
        Assert.Equal(TopKey.Quit, TopKeys.Of("\u0003"u8));
        Assert.Equal(TopKey.None, TopKeys.Of("\e[Z"u8));
    }

    [Theory]
    [InlineData(40, 5)]
    [InlineData(80, 25)]
    [InlineData(200, 50)]
    [InlineData(1, 1)]
    public void A_page_fits_the_terminal(int columns, int rows)
    {
        MachineHistory machine = new("web");
        machine.Add(Sample(10, 1000, 50, 4096, default));
        foreach (TopView view in Enum.GetValues<TopView>())
        {
            IReadOnlyList<string> lines = TopPage.Lines([machine], view, 0, columns, rows);

            Assert.Equal(rows, lines.Count);
            Assert.All(lines, line => Assert.True(line.Length <= columns, line));
        }
    }

    [Fact]
    public void Nobody_there_is_said() => Assert.Contains("--name", TopPage.Lines([], TopView.Machines, 0, 100, 10)[0], StringComparison.Ordinal);

    private static MachineSample Sample(double uptime, long io, long mmio, long requests, VcpuTime time, string more = "") => MachineSample.Of(
        JsonDocument.Parse(Info).RootElement,
        JsonDocument.Parse(
            $$"""
            {
              "uptimeSeconds": {{uptime}},
              "vcpus": [ { "present": true, "exits": {{io + mmio}}, "byReason": { "KVM_EXIT_MMIO": {{mmio}}, "KVM_EXIT_IO": {{io}} }{{more}} } ],
              "memory": { "ramBytes": 134217728, "residentBytes": 4194304, "swappedBytes": 0, "balloon": null },
              "devices": [ { "name": "disk0", "kind": "disk", "counters": { "requests": {{requests}} } } ]
            }
            """).RootElement,
        new() { [0] = time })!;
}
