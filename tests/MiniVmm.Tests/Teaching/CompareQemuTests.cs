using System.Text;
using System.Text.Json;
using CsCheck;
using MiniVmm.Kvm;
using MiniVmm.Teaching.Compare;

namespace MiniVmm.Tests.Teaching;

/// <summary>Exits of two monitors beside each other, in rows and in counts, and why they differ.</summary>
public sealed class CompareQemuTests
{
    private static readonly Gen<ComparedExit[]> Exits = Gen.Select(Gen.Int[0, 3], Gen.Int[0, 1], (port, value) => Out((ulong)port, (ulong)value)).Array[0, 30];

    [Fact]
    public void Rows_hold_both_sequences_whole_and_in_order() => Gen.Select(Exits, Exits).Sample((left, right) =>
    {
        IReadOnlyList<AlignedRow> rows = ExitAlignment.Of(left, right).Rows;

        Assert.Equal(left, rows.SelectMany(row => row.MiniVmm?.Exits ?? []));
        Assert.Equal(right, rows.SelectMany(row => row.Qemu?.Exits ?? []));
        Assert.All(rows, row => Assert.True(row.MiniVmm is null || row.Qemu is null || row.MiniVmm.IsLike(row.Qemu)));
    });

    [Fact]
    public void As_many_rows_are_joined_as_can_be() => Gen.Select(Exits, Exits).Sample((left, right) =>
    {
        List<ExitRun> a = ExitRun.Of(left);
        List<ExitRun> b = ExitRun.Of(right);

        int joined = SequenceDifference.Of(a, b, (x, y) => x.IsLike(y)).Rows.Count(row => row is { MiniVmm: not null, Qemu: not null });

        Assert.Equal(LongestCommon(a, b), joined);
    });

    [Fact]
    public void A_sequence_is_equal_to_itself() => Exits.Sample(exits =>
        Assert.All(ExitAlignment.Of(exits, exits).Rows, row => Assert.Equal('=', row.Mark)));

    [Fact]
    public void A_line_that_one_prints_more_does_not_move_those_behind_it()
    {
        ComparedExit[] own = [.. Text("one\n"), In(0x3fd), .. Text("three\n")];
        ComparedExit[] other = [.. Text("one\n"), In(0x3fd), .. Text("two\n"), In(0x3fd), .. Text("three\n")];

        Assert.Equal("==>>=", Marks(ExitAlignment.Of(own, other)));
        Assert.Equal("=~", Marks(ExitAlignment.Of([In(0x3fd), .. Text("me\n")], [In(0x3fd), .. Text("you\n")])));
    }

    [Fact]
    public void Sequences_without_anything_in_common_are_given_up_and_kept()
    {
        ComparedExit[] left = [.. Enumerable.Range(0, 1500).Select(i => Out((ulong)i, 0))];
        ComparedExit[] right = [.. Enumerable.Range(2000, 1500).Select(i => Out((ulong)i, 0))];

        ExitAlignment alignment = ExitAlignment.Of(left, right);

        Assert.Equal(2000, alignment.GaveUpAt);
        Assert.Equal(left, alignment.Rows.SelectMany(row => row.MiniVmm?.Exits ?? []));
        Assert.Equal(right, alignment.Rows.SelectMany(row => row.Qemu?.Exits ?? []));
    }

    [Fact]
    public void Runs_are_shown_as_what_they_are()
    {
        Assert.Equal(["out 3f8 \"Hi\\n\" ×3", "in 3fd 60"], ExitRun.Of([.. Text("Hi\n"), In(0x3fd)]).Select(run => run.ToString()));
        Assert.Equal(["out 1 00… ×2", "hlt"], ExitRun.Of([Out(1, 0), Out(1, 1), new() { Vcpu = 0, Reason = KvmExitReason.KVM_EXIT_HLT }]).Select(run => run.ToString()));
        Assert.Equal($"out 3f8 \"{new string('a', 24)}…\" ×30", Assert.Single(ExitRun.Of(Text(new string('a', 30)))).ToString());
        Assert.Equal("read fed00000 8086a201", Assert.Single(ExitRun.Of([Read(0xfed00000, 0x8086a201)])).ToString());
    }

    [Fact]
    public void Exits_are_counted_by_place_with_why_the_numbers_differ()
    {
        MonitorTrace own = Trace(0, Out(0x3f8, 1), Out(0x3f8, 2));
        MonitorTrace other = Trace(2, Out(0xcf8, 0), Out(0xcfc, 0), Out(0x3f8, 1), Out(0x3f8, 2), Read(0xfed00000, 0), Out(0x1234, 0));

        List<ExitGroup> groups = ExitGroup.Of(own, other);

        Assert.Equal(["io COM1", "io PCI", "io 1234", "mmio HPET"], groups.Select(group => group.Name));
        Assert.Equal([(2, 0, 2), (0, 2, 0), (0, 0, 1), (0, 0, 1)], groups.Select(group => (group.MiniVmm.Count, group.Firmware.Count, group.Kernel.Count)));
        Assert.Null(groups[0].Why);
        Assert.Contains("looks for PCI devices", groups[1].Why, StringComparison.Ordinal);
        Assert.Null(groups[2].Why);
        Assert.Equal("QEMU has an HPET; MiniVmm none", groups[3].Why);
    }

    [Fact]
    public void Places_do_not_overlap_unless_the_narrow_one_is_first()
    {
        (bool IsPort, ulong First, ulong Last)[] ranges = [.. KnownCause.Ranges];

        Assert.All(ranges, range => Assert.True(range.First <= range.Last && (!range.IsPort || range.Last <= ushort.MaxValue)));
        for (int i = 0; i < ranges.Length; i++)
        {
            Assert.All(ranges[(i + 1)..], later => Assert.True(
                later.IsPort != ranges[i].IsPort || later.First > ranges[i].Last || later.Last < ranges[i].First
                    || (later.First <= ranges[i].First && later.Last >= ranges[i].Last && later != ranges[i]),
                $"{later} is behind {ranges[i]}"));
        }
    }

    [Fact]
    public void Calls_with_a_reason_are_KVM_s_and_the_reason_depends_on_who_makes_more()
    {
        HashSet<string> names = [.. KvmRequestNames.All.Select(request => request.Name)];

        Assert.All(CallCause.Names, name => Assert.Contains(name, names));
        Assert.Null(CallCause.Of("KVM_SET_PIT2", new(1, 0), new(0, 1)));
        Assert.StartsWith("QEMU", CallCause.Of("KVM_SET_PIT2", new(1, 0), new(1, 1)), StringComparison.Ordinal);
        Assert.StartsWith("MiniVmm", CallCause.Of("KVM_SET_PIT2", new(1, 0), default), StringComparison.Ordinal);
    }

    [Fact]
    public void QEMU_gets_the_same_kernel_and_leaves_nothing_to_chance()
    {
        QemuMachine machine = new()
        {
            Program = "qemu",
            Type = "microvm",
            Kernel = "a,b.elf",
            Initrd = "-i",
            CommandLine = "x y",
            Cpu = "qemu64",
            Smp = "2,cores=2",
            Ram = 96 << 20,
        };

        string words = string.Join('|', machine.Words("/t/trace"));

        Assert.StartsWith("-M|microvm|-accel|kvm|-cpu|qemu64|-smp|2,cores=2|-m|98304K|-nodefaults|-no-user-config|", words, StringComparison.Ordinal);
        Assert.Contains("|-kernel|a,b.elf|-initrd|-i|-append|x y|", words, StringComparison.Ordinal);
        Assert.Contains("|-D|/t/trace|-trace|enable=kvm_ioctl|", words, StringComparison.Ordinal);
        Assert.DoesNotContain("-initrd", (machine with { Initrd = null }).Words("t"));
    }

    [Fact]
    public void The_text_folds_what_is_equal_and_ends_with_the_notes()
    {
        ComparedExit[] same = [.. Enumerable.Range(0, 10).SelectMany(_ => (ComparedExit[])[In(0x3fd), Out(0x3f8, 'x')])];
        string text = Shown(Compared([.. same, Out(0xf4, 1)], [Out(0x510, 0), .. same, Out(0xf4, 2)]), 100);

        Assert.Contains("… 16 equal|=|", text, StringComparison.Ordinal);
        Assert.Contains("out f4 01|~|out f4 02", text, StringComparison.Ordinal);
        Assert.Contains("io fw_cfg|0|||1|", text, StringComparison.Ordinal);
        Assert.Contains("|line 2 is the first that differs", text, StringComparison.Ordinal);
        Assert.EndsWith("note: a remark\n", text, StringComparison.Ordinal);
        Assert.Contains("… 2 more; --rows", Shown(Compared(same[..4], same[..4]), 2), StringComparison.Ordinal);
    }

    [Fact]
    public void The_JSON_has_each_row_and_group()
    {
        ComparedExit[] same = [In(0x3fd), Out(0x3f8, 'x')];
        using MemoryStream bytes = new();
        using (Utf8JsonWriter writer = new(bytes))
            ComparisonJson.Write(writer, Compared(same, [Out(0x510, 0), .. same, Out(0x1234, 1)]));

        using JsonDocument document = JsonDocument.Parse(bytes.ToArray());
        JsonElement root = document.RootElement;
        Assert.Equal(1, root.GetProperty("qemu").GetProperty("firmwareExits").GetInt32());
        Assert.Equal(["=", "=", ">"], root.GetProperty("vcpus")[0].GetProperty("rows").EnumerateArray().Select(row => row.GetProperty("mark").GetString()));
        Assert.Equal(2, root.GetProperty("firstDifferentLine").GetInt32());
        Assert.Contains(root.GetProperty("exits").EnumerateArray(), group => group.GetProperty("place").GetString() == "io fw_cfg"
            && group.GetProperty("firmware").GetProperty("count").GetInt32() == 1);
    }

    private static string Shown(Comparison comparison, int rows)
    {
        StringBuilder text = new();
        using StringWriter output = new(text);
        new ComparisonText(output, table =>
        {
            output.WriteLine(string.Join('|', table.Columns.Select(column => column.Title)));
            foreach (IReadOnlyList<string> row in table.Rows)
                output.WriteLine(string.Join('|', row));
        }, rows).Write(comparison);
        return text.ToString();
    }

    private static Comparison Compared(ComparedExit[] own, ComparedExit[] other)
    {
        return new() { Guest = "k.elf", MiniVmm = Run("MiniVmm", own, 0, "a\nb\n"), Qemu = Run("QEMU", other, other.Length > own.Length ? 1 : 0, "a\nc\n"), Remarks = ["a remark"] };

        static MonitorRun Run(string name, ComparedExit[] exits, int firmware, string output) => new()
        {
            Monitor = name,
            End = "powered off",
            Status = 0,
            Length = TimeSpan.FromSeconds(1),
            Output = output,
            Trace = Trace(firmware, exits),
        };
    }

    private static MonitorTrace Trace(int firmware, params ComparedExit[] exits)
    {
        MonitorTrace trace = new() { FirmwareExits = firmware };
        foreach (ComparedExit exit in exits)
            trace.Add(exit);
        return trace;
    }

    private static string Marks(ExitAlignment alignment) => string.Concat(alignment.Rows.Select(row => row.Mark));

    private static ComparedExit[] Text(string text) => [.. text.Select(letter => Out(0x3f8, letter))];

    private static ComparedExit Out(ulong port, ulong value) => In(port) with { IsWrite = true, Value = value };

    private static ComparedExit In(ulong port) =>
        new() { Vcpu = 0, Reason = KvmExitReason.KVM_EXIT_IO, IsAccess = true, Address = port, Size = 1, Count = 1, Value = 0x60, Took = 1000 };

    private static ComparedExit Read(ulong address, ulong value) =>
        In(address) with { Reason = KvmExitReason.KVM_EXIT_MMIO, Size = 4, Value = value };

    private static int LongestCommon(List<ExitRun> a, List<ExitRun> b)
    {
        int[,] longest = new int[a.Count + 1, b.Count + 1];
        for (int i = a.Count - 1; i >= 0; i--)
        {
            for (int j = b.Count - 1; j >= 0; j--)
                longest[i, j] = a[i].IsLike(b[j]) ? longest[i + 1, j + 1] + 1 : Math.Max(longest[i + 1, j], longest[i, j + 1]);
        }

        return longest[0, 0];
    }
}
