namespace MiniVmm.Guest.Tests;

/// <summary>A kernel that reads scan codes, and those who type for it.</summary>
public sealed class KeyboardTests : IClassFixture<UsableKvm>
{
    [Theory]
    [InlineData("log")]
    [InlineData("poll log")]
    public async Task A_text_is_typed_on_its_keyboard_and_it_reads_every_scan_code(string words)
    {
        string name = $"keyboard-{Environment.ProcessId}";
        using MinivmmProcess vmm = MinivmmProcess.Start("run", "--name", name, Built.Guest("keyboard.elf"), "--append", words);
        await vmm.Output.WaitForAsync("keyboard: ready\n");

        (await MinivmmProcess.RunAsync("ctl", name, "type", "Hello, world!")).With(0);
        (await MinivmmProcess.RunAsync("ctl", name, "keys", "up esc")).With(0);

        MinivmmResult run = (await vmm.EndAsync()).With(ExitStatus.Success);
        Assert.Contains(
            "\n2a 23 a3 aa 12 92 26 a6 26 a6 18 98 33 b3 39 b9 11 91 18 98 13 93 26 a6 20 a0 2a 02 82 aa e0 48 e0 c8 01 ",
            run.Output,
            StringComparison.Ordinal);
        Assert.Contains("  | Hello, world!", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_guest_that_does_not_read_its_keyboard_is_reported()
    {
        string name = $"keyboard-{Environment.ProcessId}-deaf";
        using MinivmmProcess vmm = MinivmmProcess.Start(
            "run", "--name", name, Built.Guest("crash.elf"), "--append", "hang");
        await vmm.Output.WaitForAsync("crash: endless loop");

        MinivmmResult type = await MinivmmProcess.RunAsync("ctl", name, "type", "ab");

        type.With(ExitStatus.HostLimit);
        Assert.Equal($"minivmm: ctl {name} type: the guest does not read its keyboard: 5 bytes of scan codes wait\n", type.Errors);
        (await MinivmmProcess.RunAsync("ctl", name, "stop")).With(0);
    }
}
