using System.Diagnostics;

namespace MiniVmm.Guest.Tests;

/// <summary>Images that other people's tools make of the test kernels, run with nothing but the file.</summary>
public sealed class BootImageTests : IClassFixture<UsableKvm>
{
    private const string GrubConfiguration = """
        set timeout=3
        set default=1
        if [ "$grub_platform" = "pc" ]; then set kernel=/boot/hello-mb2.elf; fi
        menuentry "First" { multiboot /boot/hello.elf first entry }
        menuentry "Second" {
          multiboot2 $kernel "second  entry"
          module2 /boot/a-module-with-a-long-name.img some words
        }
        """;

    private static void Run(string folder, string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program}: {errors.Result}");
    }

    private static TemporaryFolder Tree()
    {
        TemporaryFolder folder = new();
        string boot = Path.Combine(folder.Path, "tree", "boot");
        Directory.CreateDirectory(Path.Combine(boot, "grub"));
        File.WriteAllText(Path.Combine(boot, "grub", "grub.cfg"), GrubConfiguration);
        File.WriteAllBytes(Path.Combine(boot, "a-module-with-a-long-name.img"), new byte[321]);
        foreach (string kernel in (string[])["hello.elf", "hello-mb2.elf"])
            File.Copy(Built.Guest(kernel), Path.Combine(boot, kernel));
        return folder;
    }

    private static void AssertSecond(MinivmmResult run)
    {
        run.With(ExitStatus.Success);
        Assert.Contains("  booted by     multiboot 2, loader \"MiniVmm\"\n", run.Output);
        Assert.Contains("  command line  \"second  entry\"\n", run.Output);
        Assert.Contains(", 321 bytes\n", run.Output);
        Assert.EndsWith("hello: ok\n", run.Output);
    }

    [Fact]
    public async Task An_ISO_of_grub_mkrescue_boots_its_default_entry_and_another_by_number()
    {
        using TemporaryFolder folder = Tree();
        Run(folder.Path, "grub-mkrescue", "-o", "os.iso", "tree");
        string iso = Path.Combine(folder.Path, "os.iso");

        AssertSecond(await MinivmmProcess.RunAsync("run", iso));
        MinivmmResult first = await MinivmmProcess.RunAsync("run", iso, "--entry", "1", "--append", "and more");
        first.With(ExitStatus.Success);
        Assert.Contains("  booted by     multiboot 1, loader \"MiniVmm\"\n", first.Output);
        Assert.Contains("  command line  \"first entry and more\"\n", first.Output);
    }

    [Theory]
    [InlineData("-J")]
    [InlineData("-R")]
    public async Task An_ISO_of_xorriso_boots_with_long_names(string names)
    {
        using TemporaryFolder folder = Tree();
        Run(folder.Path, "xorriso", "-as", "mkisofs", "-quiet", names, "-o", "os.iso", "tree");

        AssertSecond(await MinivmmProcess.RunAsync("run", Path.Combine(folder.Path, "os.iso")));
    }

    [Fact]
    public async Task A_floppy_of_mtools_boots()
    {
        using TemporaryFolder folder = Tree();
        File.WriteAllBytes(Path.Combine(folder.Path, "os.img"), new byte[1440 * 1024]);
        Run(folder.Path, "mformat", "-f", "1440", "-i", "os.img", "::");
        Run(folder.Path, "mcopy", "-s", "-i", "os.img", "tree/boot", "::");

        AssertSecond(await MinivmmProcess.RunAsync("run", Path.Combine(folder.Path, "os.img")));
    }

    [Fact]
    public async Task An_ISO_with_a_limine_conf_boots()
    {
        using TemporaryFolder folder = new();
        string tree = Path.Combine(folder.Path, "tree");
        Directory.CreateDirectory(tree);
        File.Copy(Built.Guest("limine.elf"), Path.Combine(tree, "kernel"));
        File.WriteAllText(Path.Combine(tree, "limine.conf"), "timeout: 3\n/My OS\n  protocol: limine\n  path: boot():/kernel\n  cmdline: a b\n");
        Run(folder.Path, "xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", "os.iso", "tree");

        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--smp", "2", Path.Combine(folder.Path, "os.iso"));

        run.With(ExitStatus.Success);
        Assert.Contains("  command line  \"a b\"\n", run.Output);
        Assert.Contains("  own file      /kernel,", run.Output);
        Assert.EndsWith("limine: ok\n", run.Output);
    }

    /// <summary>As QEMU takes a file that it is given, and not as a floppy: some of a sector is missing at its end, as of what cat makes.</summary>
    [Fact]
    public async Task A_small_image_with_a_boot_sector_alone_is_a_hard_disk_of_SeaBIOSs()
    {
        using TemporaryFolder folder = new();
        string image = folder.Write("os.img", [.. File.ReadAllBytes(Built.Guest("boot-disk.img")).AsSpan(0, 2000)]);

        MinivmmResult run = await MinivmmProcess.RunAsync("run", image);

        run.With(ExitStatus.Success);
        Assert.Contains("boot: drive 80\nboot: second sector\nboot: written\nboot: ok\n", run.Output.ReplaceLineEndings("\n"));
        Assert.Contains($"{image}: a boot sector (55 aa at 510), not a kernel; started as by --firmware ", run.Errors);
        Assert.Contains($" --disk {image},if=ide\n", run.Errors);
    }
}
