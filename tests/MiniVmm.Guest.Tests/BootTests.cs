namespace MiniVmm.Guest.Tests;

/// <summary>The kernel <c>hello</c> sees the machine that was asked for.</summary>
public sealed class BootTests : IClassFixture<UsableKvm>
{
    [Theory]
    [InlineData("2", "0 1", "2 processors: 2 sockets x 1 core x 1 thread")]
    [InlineData("2,cores=2", "0 1", "2 processors: 1 socket x 2 cores x 1 thread")]
    [InlineData("2,maxcpus=3", "0 1", "2 processors: 2 sockets x 1 core x 1 thread")]
    [InlineData("4,sockets=2,cores=1,threads=2", "0 1 2 3", "4 processors: 2 sockets x 1 core x 2 threads")]
    [InlineData("6,cores=3,threads=2", "0 1 2 3 4 5", "6 processors: 1 socket x 3 cores x 2 threads")]
    [InlineData("6,sockets=2,cores=3", "0 1 2 4 5 6", "6 processors: 2 sockets x 3 cores x 1 thread")]
    public async Task It_finds_the_topology_of_smp(string smp, string apicIds, string summary)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--smp", smp, Built.Guest("hello.elf"));

        run.With(ExitStatus.Success);
        Assert.Contains(summary, run.Output);
        Assert.Equal(apicIds, string.Join(' ', ApicIds(run.Output)));
        Assert.DoesNotContain("differs", run.Output);
    }

    [Theory]
    [InlineData("256M", 256)]
    [InlineData("64", 64)]
    [InlineData("65536K", 64)]
    [InlineData("1G", 1024)]
    public async Task It_finds_the_memory_of_mem(string size, int mebibytes)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--mem", size, Built.Guest("hello.elf"));

        run.With(ExitStatus.Success);
        Assert.Contains($"    {mebibytes} MiB of RAM\n", run.Output);
    }

    [Fact]
    public async Task Without_options_it_has_one_processor_and_128_MiB_and_MiniVmm_says_nothing()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest("hello.elf"));

        run.With(ExitStatus.Success);
        Assert.Contains("    1 processor: 1 socket x 1 core x 1 thread\n", run.Output);
        Assert.Contains("    128 MiB of RAM\n", run.Output);
        Assert.EndsWith("hello: ok\n", run.Output);
        Assert.Equal("", run.Errors);
    }

    [Theory]
    [InlineData("hello.elf", "booted by     multiboot 1, loader \"MiniVmm\"")]
    [InlineData("hello64.elf", "booted by     multiboot 1, loader \"MiniVmm\"")]
    [InlineData("hello.bin", "booted by     multiboot 1, loader \"MiniVmm\"")]
    [InlineData("hello-mb2.elf", "booted by     multiboot 2, loader \"MiniVmm\"")]
    [InlineData("hello64-mb2.elf", "booted by     multiboot 2, loader \"MiniVmm\"")]
    [InlineData("hello-mb2.bin", "booted by     multiboot 2, loader \"MiniVmm\"")]
    [InlineData("hello-pvh.elf", "booted by     PVH")]
    public async Task It_boots_from_each_container(string kernel, string bootedBy)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--kernel", Built.Guest(kernel), "--append", "a  b");

        run.With(ExitStatus.Success);
        Assert.Contains(bootedBy, run.Output);
        Assert.Matches("command line  \"(.* )?a  b\"\n", run.Output);
        Assert.EndsWith("hello: ok\n", run.Output);
    }

    [Theory]
    [InlineData("limine.elf", 6, "64M")]
    [InlineData("limine-pie.elf", 6, "64M")]
    [InlineData("limine-4.elf", 4, "5G")]
    public async Task A_Limine_executable_finds_what_the_protocol_promises(string kernel, int revision, string memory)
    {
        using TemporaryFolder folder = new();
        string module = folder.Write("module", "letters"u8.ToArray());

        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--smp", "3", "--mem", memory, "--module", $"{module} some words", "--append", "a  b", Built.Guest(kernel));

        run.With(ExitStatus.Success);
        Assert.Contains($"  booted by     Limine base revision {revision}, loader \"MiniVmm\"", run.Output);
        Assert.Contains("  command line  \"a  b\"\n", run.Output);
        Assert.Contains($"{module} \"some words\", 7 bytes, l...\n", run.Output);
        Assert.Contains("  processors    3, all here\n", run.Output);
        Assert.EndsWith("limine: ok\n", run.Output);
    }

    [Theory]
    [InlineData("bare32.elf", 32)]
    [InlineData("bare64.elf", 64)]
    [InlineData("flat16.bin", 16, "--format", "flat16")]
    [InlineData("flat16.bin", 16, "--format", "flat16", "--load-addr", "0x20000")]
    [InlineData("flat32.bin", 32, "--format", "flat32")]
    [InlineData("flat64.bin", 64, "--format", "flat64", "--load-addr", "0x400000")]
    public async Task A_kernel_without_a_protocol_is_entered_in_the_mode_of_its_class_or_as_told(
        string kernel, int bits, params string[] options)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(["run", .. options, Built.Guest(kernel)]);

        run.With(ExitStatus.Success);
        Assert.Equal($"bare: entered in {bits}-bit mode\nbare: ok\n", run.Output);
    }

    [Theory]
    [InlineData("hello.elf")]
    [InlineData("hello-mb2.elf")]
    [InlineData("hello-pvh.elf")]
    public async Task It_finds_the_module_of_initrd(string kernel)
    {
        using TemporaryFolder folder = new();
        string module = folder.Write("module", new byte[12345]);

        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--initrd", module, Built.Guest(kernel));

        run.With(ExitStatus.Success);
        Assert.Matches("  module        0x[0-9a-f]+, 12345 bytes\n", run.Output);
    }

    [Fact]
    public async Task The_spellings_of_QEMU_mean_the_same()
    {
        using TemporaryFolder folder = new();
        string kernel = Built.Guest("hello.elf"), module = folder.Write("module", new byte[100]);
        string[] common = [kernel, "-append", "x", "-initrd", module, "-cpu", "qemu64", "-mem-path", folder.Path];

        MinivmmResult run = await MinivmmProcess.RunAsync(
            ["run", "-smp", "2", "-m", "64", "-kernel", .. common, "-mem-prealloc"]);

        run.With(ExitStatus.Success);
        Assert.Contains("2 processors: 2 sockets", run.Output);
        Assert.Contains("    64 MiB of RAM\n", run.Output);
        Assert.Contains($"\"{kernel} x\"", run.Output);
        Assert.Contains(", 100 bytes\n", run.Output);
    }

    private static IEnumerable<string> ApicIds(string output) =>
        output.Split('\n').Select(line => line.Split("APIC id ")).Where(parts => parts.Length == 2)
            .Select(parts => parts[1].Split(' ')[0]);
}
