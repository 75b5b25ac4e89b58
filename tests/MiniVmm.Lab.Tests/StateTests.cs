using System.Globalization;
using System.Text.RegularExpressions;
using MiniVmm.Boot;
using MiniVmm.Cpu;
using MiniVmm.Execution;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Storage;
using MiniVmm.Terminal;

namespace MiniVmm.Lab.Tests;

/// <summary>Linux, taken out of one machine of the library and put into another in the middle of its work.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
public sealed class StateTests
{
    private const string Disk = "/tmp/moved.img";

    [Fact]
    public async Task Linux_goes_on_in_another_machine_with_all_that_it_was_at()
    {
        await LabHost.ShellAsync($"truncate -s 16M {Disk}");
        string data, state;
        byte[] saved;
        List<byte[]> ram = [];
        int count;
        double uptime;
        using MachinePlan plan = MachinePlan.Create(Options);
        await using (VirtualMachine first = VirtualMachine.Create(plan))
        {
            using TypedShell shell = new(first.OpenConsole());
            Task<StopReason> run = first.RunAsync(TimeSpan.FromMinutes(5), TestContext.Current.CancellationToken);
            await shell.WaitForAsync("lab: ready to obey");
            await shell.RunAsync("dd if=/dev/urandom of=/tmp/data bs=1M count=8");
            data = await shell.RunAsync("sha256sum /tmp/data");
            await shell.RunAsync("(i=0; while :; do i=$((i+1)); echo $i >/tmp/count.new; mv /tmp/count.new /tmp/count; done) & echo $! >/tmp/counter; sleep 1");
            await shell.RunAsync("(dd if=/tmp/data of=/dev/vda bs=16k conv=fsync 2>/dev/null; echo $? >/tmp/wrote) & sleep 1");
            count = int.Parse(await shell.RunAsync("cat /tmp/count"), CultureInfo.InvariantCulture);
            uptime = double.Parse(await shell.RunAsync("cut -d ' ' -f 1 /proc/uptime"), CultureInfo.InvariantCulture);
            state = await shell.RunAsync("cat /proc/sys/kernel/random/boot_id");

            first.Pause();
            saved = first.SaveState();
            foreach (RamSlot slot in first.Memory.Slots)
                ram.Add(Bytes(first, slot).ToArray());
            await first.StopAsync();
            Assert.Equal(StopKind.Interrupted, (await run).Kind);
        }

        using MachinePlan again = MachinePlan.Create(Options);
        await using VirtualMachine second = VirtualMachine.Create(again);
        using TypedShell console = new(second.OpenConsole());
        second.Pause();
        foreach ((RamSlot slot, byte[] bytes) in second.Memory.Slots.Zip(ram))
            bytes.CopyTo(Bytes(second, slot));
        second.RestoreState(saved);
        Task<StopReason> rest = second.RunAsync(TimeSpan.FromMinutes(5), TestContext.Current.CancellationToken);
        second.Resume();

        Assert.Equal(state, await console.RunAsync("cat /proc/sys/kernel/random/boot_id"));
        Assert.Equal(data, await console.RunAsync("sha256sum /tmp/data"));
        Assert.InRange(int.Parse(await console.RunAsync("sleep 1; cat /tmp/count"), CultureInfo.InvariantCulture), count + 1, int.MaxValue);
        double later = double.Parse(await console.RunAsync("cut -d ' ' -f 1 /proc/uptime"), CultureInfo.InvariantCulture);
        Assert.InRange(later, uptime, uptime + 60);
        string[] ticks = [await console.RunAsync("grep LOC: /proc/interrupts"), await console.RunAsync("sleep 1; grep LOC: /proc/interrupts")];
        Assert.All(Ticks(ticks[0]).Zip(Ticks(ticks[1])), pair => Assert.True(pair.First < pair.Second, string.Join('\n', ticks)));
        Assert.Equal("0", await console.RunAsync("until [ -s /tmp/wrote ]; do usleep 100000; done; cat /tmp/wrote"));
        Assert.Equal(data.Split(' ')[0], (await console.RunAsync("head -c 8388608 /dev/vda | sha256sum")).Split(' ')[0]);


        // Without the counter, which would fill the console with errors, unread, once the root is read-only.
        await console.RunAsync("kill $(cat /tmp/counter)");
        await console.SendAsync("end");
        Assert.Equal(StopKind.PowerOff, (await rest).Kind);
    }

    private static MachineOptions Options => new()
    {
        Kernel = Lab.Guest("vmlinuz-cloud"),
        Initrds = [new BootFile(Lab.Guest("linux-devices.gz"))],
        CommandLine = "console=ttyS0 panic=-1 quiet lab.do=obey,poweroff",
        Topology = new CpuTopology(2, 1, 1),
        Memory = new MemoryOptions(256 * MemoryLayout.MiB),
        Disks = [new DiskOptions { File = Disk, Format = DiskFormat.Raw, BytesPerSecond = 1 << 20 }],
        Console = ConsoleKind.Stream,
        Rng = true,
    };

    private static unsafe Span<byte> Bytes(VirtualMachine machine, RamSlot slot) =>
        machine.Memory.TryGetSpan(slot.Range.Start, (int)slot.Range.Length, out Span<byte> span)
            ? span
            : throw new InvalidOperationException();

    /// <summary>The local timers' interrupts, by CPU.</summary>
    private static long[] Ticks(string line) =>
        [.. Regex.Matches(line, @"\s(\d+)(?=\s)").Select(match => long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))];
}
