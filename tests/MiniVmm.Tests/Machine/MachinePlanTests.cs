using System.Text;
using MiniVmm.Boot;
using MiniVmm.Configuration;
using MiniVmm.Firmware;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Tests.Boot;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Machine;

public sealed class MachinePlanTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("minivmm-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void A_small_multiboot_kernel_is_worked_out_in_full()
    {
        using MachinePlan plan = MachinePlan.Create(new()
        {
            Kernel = Write("kernel", MultibootFiles.Elf().Build()),
            Initrds = [new(Write("module", "data"u8.ToArray()))],
            CommandLine = "quiet",
            Topology = TopologyText.Parse("2,maxcpus=4"),
            Memory = new(16 * MemoryLayout.MiB),
        });

        Assert.Equal(16 * MemoryLayout.MiB, plan.Memory.Size);
        Assert.Equal(EntryMode.Protected32, plan.Boot.Entry.Mode);
        Assert.Equal(0x10000cUL, plan.Boot.Entry.Rip);
        Assert.Equal([true, true, false, false], plan.Cpus.All.Select(cpu => cpu.Present));
        Assert.Equal([0u, 1u, 2u, 3u], plan.Cpus.All.Select(cpu => cpu.ApicId));
        LoadSegment acpi = plan.Boot.Segment("ACPI tables");
        Assert.Equal(MemoryLayout.Acpi, acpi.Address);
        Assert.Equal("RSD PTR ", Encoding.ASCII.GetString(acpi.Data.Span[..8]));
        Assert.Contains(plan.Boot.Segments, segment => segment.Data.Span.SequenceEqual("data"u8));
        Assert.Contains(plan.Boot.Segments, segment => segment.Data.Span.IndexOf("quiet\0"u8) >= 0);
    }

    [Fact]
    public void A_plan_prints_what_would_be_built_and_where()
    {
        using MachinePlan plan = MachinePlan.Create(new()
        {
            Kernel = Write("kernel", MultibootFiles.Elf().Build()),
            Memory = new(16 * MemoryLayout.MiB),
            Rng = true,
        });

        string text = plan.ToString();

        Assert.Matches(@"(?m)^kernel      \S+/kernel: multiboot", text);
        Assert.Contains("\nentry       Protected32, rip 0x10000c\n", text, StringComparison.Ordinal);
        Assert.Contains("\nRAM         16 MiB\n", text, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^0x\S+  virtio-mmio: rng, GSI \d+$", text);
    }

    [Fact]
    public void Its_segments_load_into_its_memory_next_to_the_firmware_tables()
    {
        string kernel = Write("kernel", MultibootFiles.Elf().Build());
        MachineOptions options = new() { Kernel = kernel, Memory = new(16 * MemoryLayout.MiB) };
        using MachinePlan plan = MachinePlan.Create(options);
        using RamBacking backing = RamBacking.Allocate(options.Memory, plan.Memory.Size);
        GuestMemory memory = backing.Slots(plan.Memory);

        MpPlace mp = Assert.NotNull(plan.Boot.Firmware.Mp);
        foreach (LoadSegment segment in plan.Boot.Segments.Concat(MpTable.Build(mp, plan.Cpus, 0, 0)))
            memory.Load(segment);

        Assert.True(memory.TryRead(0x100000, out uint magic));
        Assert.Equal(0x1badb002u, magic);
        Assert.True(memory.TryRead(plan.Boot.Entry.Rip, out byte first));
        Assert.Equal(0xfa, first);
    }

    [Fact]
    public void Ram_in_files_is_rounded_up_to_whole_pages()
    {
        using MachinePlan plan = MachinePlan.Create(new()
        {
            Kernel = Write("kernel", MultibootFiles.Elf().Build()),
            Memory = new(16 * MemoryLayout.MiB - 1, _directory),
        });

        Assert.Equal(16 * MemoryLayout.MiB, plan.Memory.Size);
    }

    [Fact]
    public void Disposal_gives_back_an_unpacked_kernel()
    {
        byte[] file = new BzImageBuilder(SmallKernel.Payload("gzip")).Build();
        MachinePlan plan = MachinePlan.Create(new() { Kernel = Write("bzImage", file) });
        LoadSegment text = plan.Boot.Segments.Single(
            segment => new GuestRange(segment.Address, segment.MemorySize).Contains(plan.Boot.Entry.Rip, 1));
        Assert.False(text.Data.Span.IsEmpty);

        plan.Dispose();

        Assert.Throws<ObjectDisposedException>(() => text.Data.Span.Length);
    }

    [Theory]
    [InlineData("missing", "no such file")]
    [InlineData("missing/kernel", "no such file")]
    [InlineData("directory", "is a directory; name a file")]
    [InlineData("empty", "the file is empty")]
    [InlineData("/dev/null", "not a regular file")]
    [InlineData("/proc/sys/vm/drop_caches", "permission denied")] // write-only to root as well
    public void A_file_that_cannot_be_read_is_refused_with_its_option_and_name(string name, string why)
    {
        Directory.CreateDirectory(Path.Combine(_directory, "directory"));
        Write("empty", []);
        string path = Path.Combine(_directory, name);
        string kernel = Write("kernel", MultibootFiles.Elf().Build());

        Assert.StartsWith($"--kernel {path}: {why}", Refusal(new() { Kernel = path }), StringComparison.Ordinal);
        Assert.StartsWith(
            $"--initrd {path}: {why}", Refusal(new() { Kernel = kernel, Initrds = [new(path)] }), StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_name_is_refused() =>
        Assert.Equal("--kernel: the file name is empty", Refusal(new() { Kernel = "" }));

    [Fact]
    public void A_pipe_is_refused_and_not_waited_for()
    {
        using Terminal.Pipe pipe = new();

        Assert.Contains(
            "not a regular file", Refusal(new() { Kernel = $"/dev/fd/{pipe.Reader}" }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_2_GiB_is_refused_unread()
    {
        string path = Path.Combine(_directory, "large");
        using (FileStream file = File.Create(path))
            file.SetLength(1L << 31);

        Assert.Contains(
            "2147483648 bytes are more than MiniVmm loads", Refusal(new() { Kernel = path }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_kernel_and_a_size_that_is_too_small_are_refused()
    {
        string path = Write("text", "hello"u8.ToArray());

        Assert.StartsWith($"{path}: not a kernel", Refusal(new() { Kernel = path }), StringComparison.Ordinal);
        Assert.StartsWith(
            "--mem 1 MiB", Refusal(new() { Kernel = path, Memory = new(MemoryLayout.MiB) }), StringComparison.Ordinal);
    }

    private static string Refusal(MachineOptions options)
    {
        string message = Assert.Throws<BadInputException>(() => MachinePlan.Create(options)).OnCommandLine();
        Assert.DoesNotContain('\n', message);
        return message;
    }

    private string Write(string name, byte[] bytes)
    {
        string path = Path.Combine(_directory, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
