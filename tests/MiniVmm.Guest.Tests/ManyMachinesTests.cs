using MiniVmm.Execution;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Terminal;

namespace MiniVmm.Guest.Tests;

/// <summary>Other tests of this process have machines, too; what is left of these is looked at when none of those run.</summary>
[CollectionDefinition(nameof(ManyMachinesTests), DisableParallelization = true)]
public sealed class MachinesAlone;

/// <summary>Many machines in one process, and what is left of them: nothing.</summary>
[Collection(nameof(ManyMachinesTests))]
public sealed class ManyMachinesTests : IClassFixture<UsableKvm>
{
    private const int Machines = 50;

    private static readonly (string Kernel, string Append, StopKind End, string Text)[] Kinds =
    [
        ("hello.elf", "", StopKind.PowerOff, "hello: ok"),
        ("exit-code.elf", "21", StopKind.DebugExit, "exit-code: ok"),
        ("crash.elf", "", StopKind.Crash, "crash: triple fault"),
        ("crash.elf", "hang", StopKind.Interrupted, "crash: endless loop"),
        ("smp.elf", "", StopKind.PowerOff, "smp: ok"),
    ];

    [Fact]
    public async Task Fifty_machines_start_talk_stop_and_crash_in_one_process_and_leave_nothing()
    {
        await RunAsync(Kinds[0]); // what the runtime starts once, it has started then
        Assert.Empty(await LeftoversAsync());

        (string Kernel, string Append, StopKind End, string Text)[] kinds =
            [.. Enumerable.Range(0, Machines).Select(i => Kinds[i % Kinds.Length])];
        (StopReason End, string Text)[] results = await Task.WhenAll(kinds.Select(RunAsync));

        for (int i = 0; i < Machines; i++)
        {
            Assert.Equal(kinds[i].End, results[i].End.Kind);
            Assert.Contains(kinds[i].Text, results[i].Text, StringComparison.Ordinal);
        }

        Assert.All(
            results.Where(result => result.End.Kind == StopKind.DebugExit), result => Assert.Equal(21u, result.End.Value));
        Assert.Empty(await LeftoversAsync());
    }

    private static async Task<(StopReason End, string Text)> RunAsync(
        (string Kernel, string Append, StopKind End, string Text) kind)
    {
        using MachinePlan plan = MachinePlan.Create(new()
        {
            Kernel = Built.Guest(kind.Kernel),
            CommandLine = kind.Append,
            Topology = kind.Kernel == "smp.elf" ? new(2, 1, 1) : new(1, 1, 1),
            Memory = new MemoryOptions(16 * MemoryLayout.MiB),
            Console = ConsoleKind.Stream,
            Rng = true,
        });
        await using VirtualMachine machine = VirtualMachine.Create(plan);
        using StreamReader console = new(machine.OpenConsole());
        Task<StopReason> run = machine.RunAsync(TimeSpan.FromMinutes(5), TestContext.Current.CancellationToken);
        string text = "";
        while (kind.End == StopKind.Interrupted && !text.Contains(kind.Text, StringComparison.Ordinal))
            text += $"{await console.ReadLineAsync(TestContext.Current.CancellationToken)}\n";
        if (kind.End == StopKind.Interrupted)
            await machine.StopAsync();
        text += await console.ReadToEndAsync(TestContext.Current.CancellationToken);
        return (await run, text);
    }

    /// <summary>What machines left: a thread that was joined may take a moment longer to leave the kernel's list.</summary>
    private static async Task<List<string>> LeftoversAsync()
    {
        List<string> left = Leftovers();
        for (int i = 0; i < 100 && left.Any(what => what.StartsWith("thread", StringComparison.Ordinal)); i++)
        {
            await Task.Delay(100, TestContext.Current.CancellationToken);
            left = Leftovers();
        }

        return left;
    }

    /// <summary>Threads, files and mappings of machines, in words; those of the runtime have other names.</summary>
    private static List<string> Leftovers()
    {
        List<string> left = [];
        foreach (string task in Directory.EnumerateDirectories("/proc/self/task"))
        {
            string name = Read($"{task}/comm").Trim();
            if (name.StartsWith("vcpu", StringComparison.Ordinal) || name.StartsWith("console-", StringComparison.Ordinal)
                || name.StartsWith("virtio", StringComparison.Ordinal) || name == "machine")
                left.Add($"thread {name}");
        }

        foreach (string file in Directory.EnumerateFiles("/proc/self/fd"))
        {
            string target = new FileInfo(file).LinkTarget ?? "";
            if (target.Contains("kvm", StringComparison.Ordinal) || target.Contains("[eventfd]", StringComparison.Ordinal))
                left.Add($"file {target}");
        }

        left.AddRange(Read("/proc/self/maps").Split('\n').Where(line => line.Contains("kvm", StringComparison.Ordinal)));
        return left;
    }

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return ""; // a thread that has just ended
        }
    }
}
