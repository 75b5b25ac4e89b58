using System.Diagnostics;
using MiniVmm.Tests;

namespace MiniVmm.Guest.Tests;

/// <summary>Kernels that print to a PC's text screen, as those of tutorials do.</summary>
public sealed class ScreenTests : IClassFixture<UsableKvm>
{
    [Fact]
    public async Task A_kernel_that_prints_to_the_text_screen_alone_is_seen_whatever_its_end()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", Built.Guest("screen.elf"));

        run.With(ExitStatus.Success);
        Assert.Equal("", run.Output);
        Assert.StartsWith(
            "minivmm: text screen at 0xb8000, at the end:\n  | Text at 0xb8000\n  | \n", run.Errors, StringComparison.Ordinal);
        Assert.EndsWith("  | ╔══╗ ░▒▓█\n  | ╚══╝\n  | screen: ok\n", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_screenshot_shows_the_screen_at_the_end_and_at_any_time_before()
    {
        using TemporaryFolder folder = new();
        string now = Path.Combine(folder.Path, "now.png"), end = Path.Combine(folder.Path, "end.png");
        string name = $"screen-{Environment.ProcessId}";
        using MinivmmProcess vmm = MinivmmProcess.Start(
            "run", "--name", name, "--screenshot-at-end", end, Built.Guest("screen.elf"), "--append", "hold");

        // The guest says nowhere else when it is done: the picture that stays the same does, looked at from further and further apart.
        byte[] picture = [];
        Stopwatch waited = Stopwatch.StartNew();
        for (int same = 0, delay = 50; same < 3; delay *= 2)
        {
            Assert.True(waited.Elapsed < Transcript.Deadline, "The screen shows nothing, or never the same.");
            MinivmmResult shot = await MinivmmProcess.RunAsync("ctl", name, "screenshot", now);
            byte[] next = shot.Status == 0 ? await File.ReadAllBytesAsync(now) : [];
            same = next.Length > 1000 && next.AsSpan().SequenceEqual(picture) ? same + 1 : 0;
            picture = next;
            if (same == 0)
                delay = 25;
            await Task.Delay(delay);
        }

        (await MinivmmProcess.RunAsync("ctl", name, "stop")).With(0);
        (await vmm.EndAsync()).With(ExitStatus.Interrupted);

        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], picture[..4]);
        Assert.Equal(picture, await File.ReadAllBytesAsync(end));
    }

    [Fact]
    public async Task A_screenshot_that_cannot_be_written_is_said_before_the_guest_runs()
    {
        using TemporaryFolder folder = new();

        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--screenshot-at-end", folder.Path, Built.Guest("hello.elf"));

        run.With(ExitStatus.BadInput);
        Assert.StartsWith($"minivmm: --screenshot-at-end {folder.Path}: cannot be written: ", run.Errors, StringComparison.Ordinal);
        Assert.Equal("", run.Output);
    }

    [Theory]
    [InlineData("framebuffer.elf")]
    [InlineData("framebuffer-mb2.elf")]
    public async Task A_kernel_gets_the_framebuffer_that_its_header_asks_for_and_a_screenshot_shows_what_it_drew(string kernel)
    {
        using TemporaryFolder folder = new();
        string end = Path.Combine(folder.Path, "end.png");

        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--screenshot-at-end", end, Built.Guest(kernel));

        run.With(ExitStatus.Success);
        Assert.Equal("framebuffer: 640x480, 32 bits, type 1\nframebuffer: ok\n", run.Output);
        Assert.Equal("", run.Errors);
        (int width, int height, uint[] pixels) = PngReader.Decode(await File.ReadAllBytesAsync(end));
        Assert.Equal((640, 480), (width, height));
        // The corners are the frame's; within it are red, green and blue from left to right, and the brighter the lower.
        Assert.All((int[])[0, 639, 640 * 479, (640 * 480) - 1], corner => Assert.Equal(0xff_ffffu, pixels[corner]));
        Assert.Equal(
            [0x7f0000, 0x007f00, 0x00007f], ((int[])[100, 320, 600]).Select(x => (int)pixels[(640 * 240) + x]));
    }

    /// <summary>Bochs' adapter is told of by the loader and takes modes of the kernel's own; ramfb is the kernel's own memory.</summary>
    [Theory]
    [InlineData("bochs-display", "", 640, 480)]
    [InlineData("bochs-display", "dispi", 320, 200)]
    [InlineData("ramfb", "ramfb", 320, 200)]
    public async Task A_kernel_draws_to_a_display_that_was_asked_for(string device, string words, int width, int height)
    {
        using TemporaryFolder folder = new();
        string end = Path.Combine(folder.Path, "end.png");

        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--device", device, "--screenshot-at-end", end, Built.Guest("framebuffer.elf"), "--append", words);

        run.With(ExitStatus.Success);
        Assert.Equal($"framebuffer: {width}x{height}, 32 bits, type 1\nframebuffer: ok\n", run.Output);
        (int shownWidth, int shownHeight, uint[] pixels) = PngReader.Decode(await File.ReadAllBytesAsync(end));
        Assert.Equal((width, height), (shownWidth, shownHeight));
        Assert.Equal(0xff_ffffu, pixels[^1]);
        Assert.Equal(0x7f0000u, pixels[(width * (height / 2)) + 10]);
    }
}
