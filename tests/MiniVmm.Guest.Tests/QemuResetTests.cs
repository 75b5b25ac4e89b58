namespace MiniVmm.Guest.Tests;

/// <summary>
/// Guests that reset their machine, without -no-reboot: by MiniVmm called as QEMU, and by QEMU itself, which translates. What they print and
/// what is on their disks afterwards is the same.
/// </summary>
public sealed class QemuResetTests : IClassFixture<UsableKvm>, IDisposable
{
    /// <summary>The folders where MiniVmm and QEMU run.</summary>
    private const string Here = "here", There = "there";

    private readonly TemporaryFolder _folder = new();
    private readonly string _qemu;

    public QemuResetTests()
    {
        _qemu = _folder["qemu-system-x86_64"];
        File.CreateSymbolicLink(_qemu, Built.MiniVmm);
        foreach (string folder in (string[])[Here, There])
        {
            Directory.CreateDirectory(_folder[folder]);
            File.WriteAllBytes(Path.Combine(_folder[folder], "count.img"), BootSector.CountingDisk);
            File.WriteAllBytes(Path.Combine(_folder[folder], "end.img"), BootSector.EndingDisk('c'));
            File.WriteAllBytes(Path.Combine(_folder[folder], "reset.iso"), BootSector.ResettingDisc('d'));
        }
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("-drive file=count.img,format=raw", "012", true)]
    [InlineData("-drive file=count.img,format=raw,if=virtio,snapshot=on", "012", false)]
    [InlineData("-drive file=end.img,format=raw -cdrom reset.iso -boot once=d", "dc", false)]
    public async Task What_the_machine_had_it_has_after_its_reset(string words, string text, bool isWritten)
    {
        Task<MinivmmResult> qemu = RunAsync(There, "qemu-system-x86_64", words);

        (await RunAsync(Here, _qemu, words)).With(0);
        (await qemu).With(0);

        foreach (string folder in (string[])[Here, There])
        {
            Assert.Equal((folder, text), (folder, Text(folder, "com1")));
            Assert.Equal((folder, text), (folder, Text(folder, "com2")));
            Assert.Equal(isWritten ? 2 : 0, File.ReadAllBytes(Path.Combine(_folder[folder], "count.img"))[512]);
        }
    }

    private string Text(string folder, string file) => File.ReadAllText(Path.Combine(_folder[folder], file));

    private Task<MinivmmResult> RunAsync(string folder, string program, string words) => MinivmmProcess.RunProgramAsync(
        "sh", "-c", $"cd '{_folder[folder]}' && exec '{program}' -display none -net none -serial file:com1 -serial file:com2 {words}");
}
