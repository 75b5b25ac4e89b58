using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace MiniVmm.Guest.Tests;

/// <summary>
/// A Slurm cluster of this machine alone: munged, slurmctld and slurmd with all that they write in a folder that goes with them.
/// </summary>
public sealed class SlurmNode : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TemporaryFolder _folder = new();
    private readonly List<Process> _daemons = [];

    /// <summary>What clients need to find it.</summary>
    public IReadOnlyList<string> Environment => [$"SLURM_CONF={_folder["slurm.conf"]}"];

    public async ValueTask InitializeAsync()
    {
        _folder.Write("munge.key", RandomNumberGenerator.GetBytes(128));
        File.SetUnixFileMode(_folder["munge.key"], UnixFileMode.UserRead);
        foreach (string name in (string[])["spool", "state"])
            Directory.CreateDirectory(_folder[name]);
        await File.WriteAllTextAsync(_folder["slurm.conf"], Configuration());
        await StartAsync(
            "munged", "--foreground", $"--socket={_folder["munge"]}", $"--key-file={_folder["munge.key"]}", $"--pid-file={_folder["munged.pid"]}",
            $"--log-file={_folder["munged.log"]}", $"--seed-file={_folder["munged.seed"]}");
        await WaitForAsync("munged's socket", () => Task.FromResult(File.Exists(_folder["munge"])));
        await StartAsync("slurmctld", "-D", "-f", _folder["slurm.conf"]);
        await StartAsync("slurmd", "-D", "-N", "node", "-f", _folder["slurm.conf"]);
        await WaitForAsync("an idle node", async () =>
            (await MinivmmProcess.RunProgramAsync("env", [.. Environment, "sinfo", "--noheader", "--format=%t"])).Output.Trim() == "idle");
    }

    public ValueTask DisposeAsync()
    {
        foreach (Process daemon in Enumerable.Reverse(_daemons))
        {
            daemon.Kill();
            daemon.WaitForExit();
            daemon.Dispose();
        }

        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    private string Configuration() => $"""
        ClusterName=minivmm
        SlurmctldHost={System.Environment.MachineName}(127.0.0.1)
        SlurmUser=root
        SlurmctldPort={FreePort()}
        SlurmdPort={FreePort()}
        AuthType=auth/munge
        AuthInfo=socket={_folder["munge"]}
        CredType=cred/munge
        ProctrackType=proctrack/linuxproc
        TaskPlugin=task/none
        SwitchType=switch/none
        MpiDefault=none
        SelectType=select/cons_tres
        SelectTypeParameters=CR_CPU
        SchedulerParameters=sched_interval=1
        JobAcctGatherType=jobacct_gather/none
        AccountingStorageType=accounting_storage/none
        JobCompType=jobcomp/none
        ReturnToService=2
        SlurmctldPidFile={_folder["slurmctld.pid"]}
        SlurmdPidFile={_folder["slurmd.pid"]}
        SlurmctldLogFile={_folder["slurmctld.log"]}
        SlurmdLogFile={_folder["slurmd.log"]}
        SlurmdSpoolDir={_folder["spool"]}
        StateSaveLocation={_folder["state"]}
        SlurmdParameters=config_overrides
        NodeName=node NodeHostname={System.Environment.MachineName} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
        PartitionName=all Nodes=node Default=YES MaxTime=INFINITE State=UP

        """;

    private async Task StartAsync(string program, params string[] arguments)
    {
        string path = Path.Combine("/usr/sbin", program);
        Assert.True(File.Exists(path), $"There is no {path}: run tests/install-tools slurmctld slurmd slurm-client munge.");
        Process daemon = Process.Start(new ProcessStartInfo(path, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        daemon.OutputDataReceived += (_, _) => { };
        daemon.ErrorDataReceived += (_, _) => { };
        daemon.BeginOutputReadLine();
        daemon.BeginErrorReadLine();
        _daemons.Add(daemon);
        await Task.Yield();
    }

    private async Task WaitForAsync(string what, Func<Task<bool>> isThere)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (!await isThere())
        {
            Assert.True(watch.Elapsed < Patience, $"No {what} within {Patience.TotalSeconds} s. {Logs()}");
            await Task.Delay(50);
        }
    }

    private string Logs() => string.Join('\n', Directory.GetFiles(_folder.Path, "*.log").Select(file => $"{file}:\n{File.ReadAllText(file)}"));

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
