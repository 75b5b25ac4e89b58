namespace MiniVmm.Guest.Tests;

/// <summary>Kernels of the kind that tutorials make, with no option but the file, as they are seen in tmux.</summary>
public sealed class TmuxTests : IClassFixture<UsableKvm>
{
    [Fact]
    public async Task A_kernel_that_only_writes_to_0xb8000_is_seen_and_ended_by_its_keys()
    {
        using Tmux tmux = await Tmux.StartAsync("run", Built.Guest("screen.elf"), "--append", "hold");

        string shown = await tmux.WaitForAsync("╚══╝");
        Assert.Contains("Text at 0xb8000", shown, StringComparison.Ordinal);
        await tmux.SendAsync("C-a", "x");

        await tmux.WaitForEndAsync(ExitStatus.Interrupted);
        Assert.Contains("| Text at 0xb8000", await tmux.CaptureAsync(), StringComparison.Ordinal); // the report, below the shell's own text
    }

    [Fact]
    public async Task A_kernel_that_reads_scan_codes_gets_the_keys()
    {
        using Tmux tmux = await Tmux.StartAsync("run", Built.Guest("keyboard.elf"));
        await tmux.WaitForAsync("keyboard");

        await tmux.SendAsync("-l", "Hi, all!");
        await tmux.WaitForAsync("Hi, all!");
        await tmux.SendAsync("Escape");

        await tmux.WaitForEndAsync(ExitStatus.Success);
    }

    [Fact]
    public async Task An_ISO_of_grub_mkrescue_with_such_a_kernel_is_seen_and_photographed()
    {
        using TemporaryFolder folder = new();
        string grub = Path.Combine(folder.Path, "tree", "boot", "grub");
        Directory.CreateDirectory(grub);
        File.WriteAllText(Path.Combine(grub, "grub.cfg"), "menuentry \"Screen\" { multiboot /boot/screen.elf screen.elf hold }\n");
        File.Copy(Built.Guest("screen.elf"), Path.Combine(folder.Path, "tree", "boot", "screen.elf"));
        string iso = Path.Combine(folder.Path, "os.iso"), picture = Path.Combine(folder.Path, "end.png");
        (await MinivmmProcess.RunProgramAsync("grub-mkrescue", "-o", iso, Path.Combine(folder.Path, "tree"))).With(ExitStatus.Success);

        using Tmux tmux = await Tmux.StartAsync("run", iso, "--screenshot-at-end", picture);
        await tmux.WaitForAsync("Text at 0xb8000");
        await tmux.SendAsync("C-a", "x");

        await tmux.WaitForEndAsync(ExitStatus.Interrupted);
        Assert.True(new FileInfo(picture).Length > 1000);
    }

    [Fact]
    public async Task A_death_is_explained_where_the_screen_was()
    {
        using Tmux tmux = await Tmux.StartAsync("run", Built.Guest("faults.elf"), "--append", "null_write");

        string shown = await tmux.WaitForEndAsync(ExitStatus.GuestCrash);
        Assert.Contains("last exits", shown, StringComparison.Ordinal);
        Assert.Contains("KVM_EXIT_SHUTDOWN", shown, StringComparison.Ordinal);
    }
}
