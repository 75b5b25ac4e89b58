using System.Net.Sockets;

namespace MiniVmm.Guest.Tests;

/// <summary>The guest's serial port on a pipe, in a file, or nowhere.</summary>
public sealed class ConsoleTests : IClassFixture<UsableKvm>
{
    [Fact]
    public async Task With_none_the_text_goes_nowhere()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--console", "none", Built.Guest("hello.elf"));

        run.With(ExitStatus.Success);
        Assert.Equal("", run.Output);
        Assert.Equal("", run.Errors);
    }

    [Fact]
    public async Task With_a_file_the_text_is_in_it_and_only_there()
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("console", new byte[100_000]);

        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--console", file, Built.Guest("hello.elf"));

        run.With(ExitStatus.Success);
        Assert.Equal("", run.Output);
        string text = await File.ReadAllTextAsync(file);
        Assert.StartsWith("Hello from inside the virtual machine", text);
        Assert.EndsWith("hello: ok\n", text);
    }

    [Fact]
    public async Task What_is_printed_on_COM2_is_in_its_file_and_only_there()
    {
        using TemporaryFolder folder = new();
        string kernel = folder.Write("second.bin", FlatKernel.Printing("second\n", 0x2f8));
        string file = folder["log"];

        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--com2", file, kernel);

        run.With(ExitStatus.FromDebugExit(0));
        Assert.Equal(("", "second\n"), (run.Output, await File.ReadAllTextAsync(file)));
    }

    [Fact]
    public async Task A_guest_waits_for_the_first_who_connects_and_is_read_to_its_end()
    {
        using TemporaryFolder folder = new();
        string path = folder["console"];
        using MinivmmProcess process = MinivmmProcess.Start("run", "--console", $"unix:{path},server", Built.Guest("hello.elf"));
        await process.Errors.WaitForAsync($"minivmm: COM1 is at unix:{path}\n");

        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        using StreamReader text = new(new NetworkStream(socket));

        Assert.EndsWith("hello: ok", (await text.ReadToEndAsync()).ReplaceLineEndings("\n").TrimEnd(), StringComparison.Ordinal);
        MinivmmResult run = await process.EndAsync();
        Assert.Equal("", run.With(ExitStatus.Success).Output);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task Somebody_who_does_not_read_keeps_no_machine_from_its_end()
    {
        using TemporaryFolder folder = new();
        string path = folder["console"];
        string kernel = folder.Write("printing.bin", FlatKernel.PrintingWithoutEnd);
        using MinivmmProcess process = MinivmmProcess.Start("run", "--console", $"unix:{path},server", kernel);
        await process.Errors.WaitForAsync($"minivmm: COM1 is at unix:{path}\n");
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        int before = -1;
        await Eventually.UntilAsync(async () =>
        {
            await Task.Delay(200); // the guest is held up where no more comes
            bool isFull = socket.Available > 0 && socket.Available == before;
            before = socket.Available;
            return isFull;
        });

        process.Signal(MinivmmProcess.SIGTERM);

        (await process.EndAsync(closeInput: false)).With(ExitStatus.Interrupted);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task A_file_in_the_place_of_a_socket_is_left_as_it_is_and_a_folder_that_has_gone_hinders_no_end()
    {
        using TemporaryFolder folder = new();
        string file = folder.Write("disk.img", "precious"u8);
        MinivmmResult refused = await MinivmmProcess.RunAsync("run", "--gdb", $"unix:{file}", Built.Guest("hello.elf"));
        Assert.Contains("there is a file that is no socket", refused.With(ExitStatus.BadInput).OnlyLine(), StringComparison.Ordinal);
        Assert.Equal("precious", await File.ReadAllTextAsync(file));

        string inner = folder["inner"];
        Directory.CreateDirectory(inner);
        using MinivmmProcess process = MinivmmProcess.Start(
            "run", "--console", $"unix:{inner}/console,server,wait=off", "--gdb", $"unix:{inner}/gdb", "--display", $"vnc=unix:{inner}/vnc",
            Built.Guest("crash.elf"), "--append", "hang");
        await process.Errors.WaitForAsync("target remote");
        Directory.Delete(inner, recursive: true);
        process.Signal(MinivmmProcess.SIGTERM);

        Assert.DoesNotContain("   at ", (await process.EndAsync()).With(ExitStatus.Interrupted).Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("auto", "ab\n", "")]
    [InlineData("none", "ab\n", "")]
    [InlineData("stdio", "aabb\n\n", "")]
    [InlineData("stderr", "ab\n", "ab\n")]
    public async Task A_text_that_is_printed_on_COM1_and_port_0xe9_is_doubled_only_if_asked_for(
        string debugcon, string output, string errors)
    {
        using TemporaryFolder folder = new();
        string kernel = folder.Write("both.bin", FlatKernel.Printing("ab\n", 0x3f8, 0xe9));

        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--debugcon", debugcon, kernel);

        run.With(ExitStatus.FromDebugExit(0));
        Assert.Equal(output, run.Output);
        Assert.Equal(errors, run.Errors);
    }

    [Fact]
    public async Task What_is_printed_on_port_0xe9_alone_is_seen()
    {
        using TemporaryFolder folder = new();
        string kernel = folder.Write("one.bin", FlatKernel.Printing("a\nb", 0xe9));

        MinivmmResult run = await MinivmmProcess.RunAsync("run", kernel);

        run.With(ExitStatus.FromDebugExit(0));
        Assert.Equal("a\nb", run.Output);
    }

    [Fact]
    public async Task A_file_that_cannot_be_written_is_bad_input()
    {
        const string file = "/nonexistent/console";

        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--console", file, Built.Guest("hello.elf"));

        Assert.StartsWith($"--console {file}: cannot be written", run.With(ExitStatus.BadInput).OnlyLine());
    }

    [Fact]
    public async Task A_file_system_that_is_full_ends_the_machine_with_a_line_that_says_so()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--console", "/dev/full", Built.Guest("crash.elf"), "--append", "loop-io");

        Assert.Equal(
            "--console /dev/full: cannot be written any more: no space left (ENOSPC)",
            run.With(ExitStatus.HostLimit).OnlyLine());
    }

    [Fact]
    public async Task A_crash_is_explained_on_standard_error_wherever_the_text_goes()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--console", "none", Built.Guest("crash.elf"));

        run.With(ExitStatus.GuestCrash);
        Assert.Equal("", run.Output);
        Assert.Contains("triple fault", run.ErrorLines[0]);
    }

    [Theory]
    [InlineData("and then", "and then\nminivmm: vCPU 0 died: triple fault")]
    [InlineData("and then\n", "and then\nminivmm: vCPU 0 died: triple fault")]
    public async Task A_report_begins_a_line_of_its_own_where_the_guest_has_left_its_last_open(string text, string expected)
    {
        using TemporaryFolder folder = new();
        string kernel = folder.Write("dying", FlatKernel.DyingAfter(text));

        MinivmmResult run = await MinivmmProcess.RunProgramAsync("sh", "-c", "exec \"$0\" run \"$1\" 2>&1", Built.MiniVmm, kernel);

        Assert.StartsWith(expected, run.With(ExitStatus.GuestCrash).Output);
    }

    [Fact]
    public async Task Where_its_text_goes_elsewhere_the_report_has_no_empty_line_before_it()
    {
        using TemporaryFolder folder = new();

        MinivmmResult run = await MinivmmProcess.RunAsync("run", folder.Write("dying", FlatKernel.DyingAfter("and then")));

        Assert.StartsWith("minivmm: vCPU 0 died", run.With(ExitStatus.GuestCrash).Errors);
    }

    [Fact]
    public async Task On_a_pipe_there_are_no_escape_keys()
    {
        using MinivmmProcess vmm = MinivmmProcess.Start(
            "run", "--timeout", "1", Built.Guest("crash.elf"), "--append", "hang");
        await vmm.TypeAsync("\u0001h\u0001x");

        MinivmmResult run = await vmm.EndAsync();

        run.With(ExitStatus.Timeout);
        Assert.StartsWith("minivmm: vCPU 0: in an endless loop", run.ErrorLines[0]);
        Assert.DoesNotContain(run.ErrorLines, line => line.Contains("Ctrl-A", StringComparison.Ordinal));
    }
}
