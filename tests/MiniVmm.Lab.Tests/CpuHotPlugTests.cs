using System.Diagnostics;
using System.Text.Json;
using MiniVmm.Boot;
using MiniVmm.Control;
using MiniVmm.Control.Verbs;
using MiniVmm.Cpu;
using MiniVmm.Execution;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Terminal;

namespace MiniVmm.Lab.Tests;

/// <summary>vCPUs that come and go while Linux runs, by <c>minivmm ctl NAME cpus N</c> and by the library.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class CpuHotPlugTests
{
    private const string Name = "lab-cpus";
    private const int Cycles = 200;

    /// <summary>Brings online what comes, as udev would by a rule.</summary>
    private const string Onliner =
        "(while [ ! -e /enough ]; do for c in /sys/devices/system/cpu/cpu[1-9]*/online; do "
        + "[ \"$(cat $c 2>/dev/null)\" = 0 ] && echo 1 >$c; done 2>/dev/null; usleep 20000; done) &";

    [Fact]
    public async Task One_vCPU_becomes_four_and_one_and_three_under_load_and_two_hundred_times_more()
    {
        await using GuestShell guest = await GuestShell.StartAsync(
            "cpus", "", "--mem", "128M", "--smp", "1,maxcpus=4", "--name", Name);
        Assert.Equal("0-3 0", await SetsAsync(guest.RunAsync, "possible", "present"));
        await guest.RunAsync($"{Onliner} (while [ ! -e /enough ]; do :; done) & true");

        foreach (int count in (int[])[4, 1, 3])
        {
            Assert.Contains($"cpus: {count}", await LabHost.MiniVmmAsync($"ctl {Name} cpus {count}"), StringComparison.Ordinal);
            string all = count == 1 ? "0" : $"0-{count - 1}";
            await guest.RunAsync($"until [ $(grep -c ^processor /proc/cpuinfo) = {count} ]; do usleep 20000; done");
            Assert.Equal($"{all} {all}", await SetsAsync(guest.RunAsync, "present", "online"));
            Assert.Equal(
                string.Join('\n', Enumerable.Range(0, count).Select(i => $"{i}")),
                await guest.RunAsync("sed -n 's/^apicid.*: //p' /proc/cpuinfo"));
            using JsonDocument info = JsonDocument.Parse(await LabHost.MiniVmmAsync($"ctl {Name} info --json"));
            Assert.Equal(
                (count, 4), (info.RootElement.GetProperty("vcpus").GetInt32(), info.RootElement.GetProperty("mostVcpus").GetInt32()));
        }

        // Without the time that a guest takes to bring a processor online.
        await guest.RunAsync("touch /enough; wait");
        (int threads, int files) = (Threads(guest.Vmm.Id), Files(guest.Vmm.Id));
        Stopwatch time = Stopwatch.StartNew();
        CpusVerb verb = new(silence: TimeSpan.FromMinutes(1));
        using (ControlClient client = ControlClient.Connect(Name))
        {
            for (int cycle = 0; cycle < Cycles; cycle++)
            {
                foreach (int count in (int[])[1, 4, 3])
                    Assert.Null(verb.Ask(client, CpusVerb.Of(count)).Shortfall);
            }
        }

        TestContext.Current.SendDiagnosticMessage($"{Cycles} cycles took {time.Elapsed.TotalSeconds:F1} s");
        Assert.Equal((threads, files), (Threads(guest.Vmm.Id), Files(guest.Vmm.Id)));
        Assert.Equal(4, threads);
        JsonElement vcpus = (await LabHost.StatisticsAsync(Name)).GetProperty("vcpus");
        Assert.Equal([true, true, true, false], vcpus.EnumerateArray().Select(vcpu => vcpu.GetProperty("present").GetBoolean()));

        await guest.RunAsync("for c in 1 2; do echo 1 >/sys/devices/system/cpu/cpu$c/online; done");
        Assert.Equal("0-2 0-2", await SetsAsync(guest.RunAsync, "present", "online"));
        await guest.RunAsync("for c in 0 1 2; do taskset -c $c sha256sum /bin/busybox; done");
        Assert.Empty(KernelLog.Warnings((await guest.RunAsync("dmesg -r")).Split('\n')));
        await guest.PowerOffAsync();
    }

    [Fact]
    public async Task What_comes_sits_where_the_topology_has_it_and_stays_so_in_another_machine()
    {
        CpuTopology topology = new(2, 4, 1, count: 4);
        byte[] saved;
        List<byte[]> ram = [];
        using MachinePlan plan = MachinePlan.Create(Options(topology));
        await using (VirtualMachine first = VirtualMachine.Create(plan))
        {
            using TypedShell guest = new(first.OpenConsole());
            Task<StopReason> run = first.RunAsync(TimeSpan.FromMinutes(5), TestContext.Current.CancellationToken);
            await guest.WaitForAsync("lab: ready to obey");
            await guest.RunAsync(Onliner);
            Assert.Equal(6, (await first.SetCpusAsync(6)).Present);
            await guest.RunAsync("until [ $(nproc) = 6 ]; do usleep 20000; done; touch /enough; wait");
            Assert.Equal("0\n0\n0\n0\n1\n1", await SocketsAsync(guest));

            // One the guest gives up by itself.
            await guest.RunAsync("echo 1 >/sys/bus/acpi/devices/ACPI0007:03/eject");
            await guest.RunAsync("until [ $(cat /sys/devices/system/cpu/present) = 0-2,4-5 ]; do usleep 20000; done");
            Assert.Equal((6, 5), (first.Cpus.Wanted, first.Cpus.Present));
            first.Pause();
            CpusState asked = await first.SetCpusAsync(8);
            Assert.Equal((8, 8, 3), (asked.Wanted, asked.Present, asked.Pending));
            saved = first.SaveState();
            foreach (RamSlot slot in first.Memory.Slots)
                ram.Add(Bytes(first, slot).ToArray());
            await first.StopAsync();
            await run;
        }

        using MachinePlan again = MachinePlan.Create(Options(topology));
        await using VirtualMachine second = VirtualMachine.Create(again);
        using TypedShell console = new(second.OpenConsole());
        second.Pause();
        foreach ((RamSlot slot, byte[] bytes) in second.Memory.Slots.Zip(ram))
            bytes.CopyTo(Bytes(second, slot));
        second.RestoreState(saved);
        Task<StopReason> rest = second.RunAsync(TimeSpan.FromMinutes(5), TestContext.Current.CancellationToken);
        second.Resume();

        // What the first machine was asked for, the guest does in the second.
        await console.RunAsync("until [ $(cat /sys/devices/system/cpu/present) = 0-7 ]; do usleep 20000; done");
        await console.RunAsync("for c in 3 6 7; do echo 1 >/sys/devices/system/cpu/cpu$c/online; done");
        Assert.Equal("0\n0\n0\n0\n1\n1\n1\n1", await SocketsAsync(console));
        CpusState state = await second.SetCpusAsync(2);
        Assert.Equal((2, 0, 0), (state.Present, state.Pending, state.Refusals.Count));
        Assert.Equal("0-1", await SetsAsync(console.RunAsync, "present"));
        Assert.Empty(KernelLog.Warnings((await console.RunAsync("dmesg -r")).Split('\n')));
        await console.SendAsync("end");
        Assert.Equal(StopKind.PowerOff, (await rest).Kind);
    }

    private static MachineOptions Options(CpuTopology topology) => new()
    {
        Name = Name,
        Kernel = Lab.Guest("vmlinuz-cloud"),
        Initrds = [new BootFile(Lab.Guest("linux-initramfs.gz"))],
        CommandLine = "console=ttyS0 panic=-1 quiet lab.do=obey,poweroff",
        Topology = topology,
        Memory = new MemoryOptions(128 * MemoryLayout.MiB),
        Console = ConsoleKind.Stream,
    };

    private static async Task<string> SetsAsync(Func<string, Task<string>> run, params string[] sets) =>
        (await run($"cd /sys/devices/system/cpu; cat {string.Join(' ', sets)}")).Replace('\n', ' ');

    private static Task<string> SocketsAsync(TypedShell guest) =>
        guest.RunAsync("cat /sys/devices/system/cpu/cpu[0-7]/topology/physical_package_id");

    private static int Threads(int process) => Directory.GetDirectories($"/proc/{process}/task")
        .Count(task => File.ReadAllText($"{task}/comm").StartsWith("vcpu", StringComparison.Ordinal));

    private static int Files(int process) => Directory.GetFiles($"/proc/{process}/fd").Length;

    private static unsafe Span<byte> Bytes(VirtualMachine machine, RamSlot slot) =>
        machine.Memory.TryGetSpan(slot.Range.Start, (int)slot.Range.Length, out Span<byte> span)
            ? span
            : throw new InvalidOperationException();
}
