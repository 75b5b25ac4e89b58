using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using CsCheck;
using MiniVmm.Host;
using MiniVmm.Measurement;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Measurement;

public sealed class EnvironmentStampTests
{
    private static readonly ManualTime Clock = new(new DateTime(2026, 3, 4, 5, 6, 7));

    [Fact]
    public void An_Intel_host_is_described()
    {
        using HostTree tree = HostTree.Intel;

        EnvironmentStamp stamp = Read(tree, 2, 3, 2);

        Assert.Equal(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero), stamp.TakenAt);
        HostProcessor processor = stamp.Processor;
        Assert.Equal("Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", processor.ModelName);
        Assert.Equal("GenuineIntel", processor.Vendor);
        Assert.Equal((6, 106, 6), (processor.Family, processor.Model, processor.Stepping));
        Assert.Equal("0xd0003d1", processor.Microcode);
        Assert.False(processor.Hypervisor);
        Assert.Equal(
            ["constant_tsc", "nonstop_tsc", "rdtscp", "tsc_deadline_timer", "tsc_adjust"], processor.TscFlags!);

        Assert.Equal(64, stamp.Cpus.Online);
        Assert.True(stamp.Cpus.SmtActive);
        Assert.False(stamp.Cpus.Turbo);
        Assert.Equal("2-3", stamp.Cpus.Isolated);
        Assert.Equal("2-3", stamp.Cpus.NohzFull);
        Assert.Equal(
            [new(2, "performance", "intel_pstate"), new(3, "performance", "intel_pstate")], stamp.Cpus.Frequency);

        Assert.Equal("6.12.9-amd64", stamp.Kernel.Release);
        Assert.Equal("#1 SMP PREEMPT_DYNAMIC Debian 6.12.9-1 (2025-01-10)", stamp.Kernel.Version);
        Assert.Equal("Debian GNU/Linux 13 (trixie)", stamp.Kernel.Distribution);
        Assert.Equal("tsc", stamp.Kernel.Clocksource);
        Assert.Equal("madvise", stamp.Kernel.TransparentHugePages);

        Assert.Equal(["kvm_intel"], stamp.Kvm.Modules!);
        Assert.False(stamp.Kvm.EmulatesSupervisorCode);
        Assert.Equal(
            [
                ("kvm.halt_poll_ns", "200000"), ("kvm.nx_huge_pages", "N"), ("kvm_intel.ept", "Y"),
                ("kvm_intel.enable_apicv", "Y"), ("kvm_intel.unrestricted_guest", "Y"),
            ],
            stamp.Kvm.Parameters);

        Assert.Equal("2 mitigated, 1 not affected, 1 vulnerable, 1 unknown", stamp.Mitigations.Summary);
        Assert.Contains(("itlb_multihit", "KVM: Mitigation: VMX disabled"), stamp.Mitigations.Vulnerabilities!);
        Assert.Equal([0.05, 0.19, 12.84], stamp.LoadAverages!);
    }

    [Fact]
    public void An_AMD_guest_is_described()
    {
        using HostTree tree = HostTree.AmdGuest;

        EnvironmentStamp stamp = Read(tree, 0, 1);

        Assert.Equal("AMD EPYC", stamp.Processor.ModelName);
        Assert.True(stamp.Processor.Hypervisor);
        Assert.Contains("tsc_known_freq", stamp.Processor.TscFlags!);
        Assert.Equal(2, stamp.Cpus.Online);
        Assert.False(stamp.Cpus.SmtActive);
        Assert.Equal("", stamp.Cpus.Isolated);
        Assert.Equal("", stamp.Cpus.NohzFull);
        Assert.Null(stamp.Cpus.Turbo);
        Assert.Equal([new(0, null, null), new(1, null, null)], stamp.Cpus.Frequency);
        Assert.Null(stamp.Kernel.Distribution);
        Assert.Equal("always", stamp.Kernel.TransparentHugePages);
        Assert.Equal(["kvm_pvm"], stamp.Kvm.Modules!);
        Assert.True(stamp.Kvm.EmulatesSupervisorCode);
        Assert.Equal([("kvm.halt_poll_ns", "0"), ("kvm.nx_huge_pages", "never")], stamp.Kvm.Parameters);
        Assert.Equal("1 mitigated, 1 not affected, 1 vulnerable", stamp.Mitigations.Summary);
    }

    [Fact]
    public void The_program_is_the_one_that_runs()
    {
        MeasuringProgram program = MeasuringProgram.Current;

        Assert.Equal(RuntimeInformation.FrameworkDescription, program.Framework);
        Assert.False(program.NativeAot); // tests run on the JIT
        Assert.StartsWith("0.1.0", program.Version, StringComparison.Ordinal);
        Assert.Matches("^(workstation|server), ", program.GarbageCollector);
    }

    [Fact]
    public void Rows_of_an_Intel_host()
    {
        using HostTree tree = HostTree.Intel;

        Dictionary<string, string> rows = Read(tree, 2, 3).Rows().ToDictionary(row => row.Name, row => row.Value);

        Assert.Equal("Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", rows["processor"]);
        Assert.Equal("GenuineIntel family 6 model 106 stepping 6 microcode 0xd0003d1", rows["signature"]);
        Assert.Equal("none reported", rows["hypervisor"]);
        Assert.Equal("64 online, SMT on", rows["CPUs"]);
        Assert.Equal("performance (intel_pstate)", rows["governor"]);
        Assert.Equal("off", rows["turbo"]);
        Assert.Equal("2-3", rows["isolated CPUs"]);
        Assert.Equal("2-3", rows["nohz_full"]);
        Assert.Equal("kvm_intel", rows["KVM"]);
        Assert.Contains("kvm_intel.ept=Y", rows["KVM parameters"], StringComparison.Ordinal);
        Assert.Equal("0.05 0.19 12.84", rows["load"]);
        Assert.Equal("2026-03-04 05:06:07 UTC", rows["taken"]);
    }

    [Fact]
    public void Rows_of_a_guest_leave_out_what_is_not_set_there()
    {
        using HostTree tree = HostTree.AmdGuest;

        Dictionary<string, string> rows = Read(tree, 0, 1).Rows().ToDictionary(row => row.Name, row => row.Value);

        Assert.Equal("yes: this host is itself a guest", rows["hypervisor"]);
        Assert.Equal("2 online, SMT off", rows["CPUs"]);
        Assert.Equal("not readable (no cpufreq)", rows["governor"]);
        Assert.DoesNotContain("turbo", rows.Keys);
        Assert.DoesNotContain("isolated CPUs", rows.Keys);
        Assert.DoesNotContain("nohz_full", rows.Keys);
        Assert.DoesNotContain("distribution", rows.Keys);
    }

    [Fact]
    public void Governors_that_differ_are_told_apart()
    {
        using HostTree tree = HostTree.Intel;

        Assert.Contains(
            (
                "governor",
                "CPU 2-3: performance (intel_pstate); CPU 4: powersave (intel_pstate); CPU 9: not readable (no cpufreq)"
            ),
            Read(tree, 2, 3, 4, 9).Rows());
    }

    [Fact]
    public void A_host_where_nothing_can_be_read_says_so_where_it_matters()
    {
        using HostTree tree = HostTree.Empty;

        (string Name, string Value)[] rows = [.. Read(tree, 0).Rows()];

        Assert.Equal(
            ["processor", "governor", "kernel", "clocksource", "KVM", "mitigations", "load"],
            rows.Where(row => row.Value.StartsWith("not readable", StringComparison.Ordinal)).Select(row => row.Name));
        Assert.Equal(["runtime", "MiniVmm", "taken"], rows[^3..].Select(row => row.Name));
        Assert.Equal(10, rows.Length);
    }

    [Fact]
    public void No_CPUs_asked_for_is_no_row_about_governors()
    {
        using HostTree tree = HostTree.Intel;

        Assert.DoesNotContain("governor", Read(tree).Rows().Select(row => row.Name));
    }

    [Fact]
    public void Boost_is_turbo_too()
    {
        using HostTree tree = HostTree.AmdGuest.Add("/sys/devices/system/cpu/cpufreq/boost", "1\n");

        Assert.True(Read(tree).Cpus.Turbo);
    }

    [Fact]
    public void The_distribution_may_be_named_in_usr_only()
    {
        using HostTree tree = HostTree.Empty.Add("/usr/lib/os-release", "ID=x\nPRETTY_NAME='X 1'\n");

        Assert.Equal("X 1", Read(tree).Kernel.Distribution);
    }

    [Theory]
    [InlineData("always madvise never")]
    [InlineData("[]")]
    [InlineData("]always[")]
    [InlineData("[always")]
    public void A_huge_page_choice_without_brackets_is_unknown(string text)
    {
        using HostTree tree = HostTree.Empty.Add("/sys/kernel/mm/transparent_hugepage/enabled", text);

        Assert.Null(Read(tree).Kernel.TransparentHugePages);
    }

    [Theory]
    [InlineData("0.05 0.19")]
    [InlineData("0.05 x 0.84 1/83 9068")]
    [InlineData("-1 0 0")]
    [InlineData("NaN 0 0")]
    [InlineData("99999999999999999999 0 0")]
    public void Odd_loads_are_unknown(string text)
    {
        using HostTree tree = HostTree.Empty.Add("/proc/loadavg", text);

        Assert.Null(Read(tree).LoadAverages);
    }

    [Fact]
    public void A_vulnerability_that_cannot_be_read_is_counted_as_unknown()
    {
        using HostTree tree = HostTree.Empty.Add("/sys/devices/system/cpu/vulnerabilities/meltdown/folder", "");

        HostMitigations mitigations = Read(tree).Mitigations;

        Assert.Equal([("meltdown", null)], mitigations.Vulnerabilities!);
        Assert.Equal("1 unknown", mitigations.Summary);
    }

    [Fact]
    public void JSON_has_what_was_read()
    {
        using HostTree tree = HostTree.Intel;

        JsonElement json = Json(Read(tree, 2));

        Assert.Equal("2026-03-04T05:06:07Z", json.GetProperty("takenAt").GetString());
        Assert.Equal(106, json.GetProperty("processor").GetProperty("model").GetInt32());
        Assert.Equal(JsonValueKind.False, json.GetProperty("processor").GetProperty("hypervisor").ValueKind);
        Assert.Equal(5, json.GetProperty("processor").GetProperty("tscFlags").GetArrayLength());
        JsonElement frequency = json.GetProperty("cpus").GetProperty("frequency")[0];
        Assert.Equal(2, frequency.GetProperty("cpu").GetInt32());
        Assert.Equal("performance", frequency.GetProperty("governor").GetString());
        JsonElement parameters = json.GetProperty("kvm").GetProperty("parameters");
        Assert.Equal("200000", parameters.GetProperty("kvm.halt_poll_ns").GetString());
        Assert.Equal(
            "Not affected",
            json.GetProperty("mitigations").GetProperty("vulnerabilities").GetProperty("meltdown").GetString());
        Assert.Equal(12.84, json.GetProperty("loadAverages")[2].GetDouble());
    }

    [Theory]
    [InlineData("Intel")]
    [InlineData("AmdGuest")]
    [InlineData("Empty")]
    public void JSON_has_every_member_whatever_could_be_read(string host)
    {
        using HostTree tree = host switch
        {
            "Intel" => HostTree.Intel,
            "AmdGuest" => HostTree.AmdGuest,
            _ => HostTree.Empty,
        };

        AssertComplete(Json(Read(tree, 0)));
    }

    [Fact]
    public void What_is_unknown_is_null_in_JSON()
    {
        using HostTree tree = HostTree.Empty;

        JsonElement json = Json(Read(tree, 0));

        IEnumerable<JsonProperty> facts =
        [
            .. json.GetProperty("processor").EnumerateObject(),
            .. json.GetProperty("cpus").EnumerateObject().Where(member => member.Name != "frequency"),
            .. json.GetProperty("cpus").GetProperty("frequency")[0].EnumerateObject().Skip(1),
            .. json.GetProperty("kernel").EnumerateObject(),
            .. json.GetProperty("mitigations").EnumerateObject(),
            .. json.EnumerateObject().Where(member => member.Name == "loadAverages"),
            .. json.GetProperty("kvm").EnumerateObject().Where(member => member.Name == "modules"),
        ];
        Assert.Equal(24, facts.Count());
        Assert.All(facts, fact => Assert.Equal(JsonValueKind.Null, fact.Value.ValueKind));
    }

    [Fact]
    public void Garbage_in_every_file_is_borne()
    {
        string[] words = [":", "flags:", "model : 99999999999\n\n", "PRETTY_NAME=\"", "0-", "[", "\n", "\u001b]0;"];
        Gen<byte[]> noise = Gen.OneOf(
            Gen.Byte.Array[0, 6000],
            Gen.Char.Array[0, 3000].Select(chars => Encoding.Unicode.GetBytes(chars)),
            Gen.Int[0, words.Length - 1].Array[0, 500]
                .Select(chosen => Encoding.UTF8.GetBytes(string.Concat(chosen.Select(word => words[word])))));
        using HostTree tree = HostTree.Intel;
        noise.Sample(bytes => AssertBorne(tree.FillWith(bytes)), iter: 20, threads: 1);
    }

    [Theory]
    [InlineData("x")]
    [InlineData("a : b\n")]
    [InlineData("flags : hypervisor ")]
    [InlineData("\n")]
    [InlineData("9")]
    [InlineData("\0")]
    [InlineData("\u001b")]
    public void Huge_files_are_borne(string filling)
    {
        byte[] content = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(filling, 3_000_000 / filling.Length)));
        using HostTree tree = HostTree.AmdGuest;
        tree.FillWith(new byte[5000])
            .Add("/proc/cpuinfo", content)
            .Add("/proc/loadavg", content)
            .Add("/etc/os-release", content);

        AssertBorne(tree);
    }

    [Fact]
    public void Folders_in_place_of_files_are_borne()
    {
        using HostTree tree = HostTree.Intel.ReplaceFilesByFolders();

        AssertBorne(tree);
        Assert.Null(Read(tree).Processor.ModelName);
    }

    [Fact]
    public void This_host_is_borne()
    {
        EnvironmentStamp stamp = EnvironmentStamp.Read(new HostFiles(), [0, -1, int.MaxValue], TimeProvider.System);

        AssertShown(stamp);
        AssertComplete(Json(stamp));
        Assert.NotNull(stamp.Kernel.Release);
    }

    private static EnvironmentStamp Read(HostTree tree, params int[] cpus) =>
        EnvironmentStamp.Read(tree.Files, cpus, Clock);

    private static void AssertBorne(HostTree tree)
    {
        EnvironmentStamp stamp = Read(tree, 0, 2);
        AssertShown(stamp);
        AssertComplete(Json(stamp));
    }

    private static void AssertShown(EnvironmentStamp stamp) => Assert.All(stamp.Rows(), row =>
    {
        Assert.NotEmpty(row.Value);
        Assert.DoesNotContain(row.Value, char.IsControl);
    });

    private static JsonElement Json(EnvironmentStamp stamp)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream))
            stamp.WriteJson(writer);
        using JsonDocument document = JsonDocument.Parse(stream.ToArray());
        return document.RootElement.Clone();
    }

    private static void AssertComplete(JsonElement json)
    {
        Assert.Equal(
            ["takenAt", "processor", "cpus", "kernel", "kvm", "mitigations", "loadAverages", "program"], Names(json));
        Assert.Equal(
            ["modelName", "vendor", "family", "model", "stepping", "microcode", "hypervisor", "tscFlags"],
            Names(json.GetProperty("processor")));
        JsonElement cpus = json.GetProperty("cpus");
        Assert.Equal(["online", "smtActive", "isolated", "nohzFull", "turbo", "frequency"], Names(cpus));
        Assert.All(
            cpus.GetProperty("frequency").EnumerateArray(),
            frequency => Assert.Equal(["cpu", "governor", "driver"], Names(frequency)));
        Assert.Equal(
            ["release", "version", "distribution", "clocksource", "transparentHugePages"],
            Names(json.GetProperty("kernel")));
        Assert.Equal(["modules", "parameters"], Names(json.GetProperty("kvm")));
        Assert.Equal(["summary", "vulnerabilities"], Names(json.GetProperty("mitigations")));
        Assert.Equal(["version", "framework", "nativeAot", "garbageCollector"], Names(json.GetProperty("program")));
    }

    private static string[] Names(JsonElement element) => [.. element.EnumerateObject().Select(member => member.Name)];
}
