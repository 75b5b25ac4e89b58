using System.Text.Json;
using MiniVmm.Control;
using MiniVmm.Control.Verbs;
using MiniVmm.Host;

namespace MiniVmm.Tools.Top;

/// <summary>The machines that run, and that ran while somebody looked, by their control sockets.</summary>
/// <param name="only">The one to look at; null for all.</param>
internal sealed class TopMachines(string? only)
{
    private readonly HostFiles _files = new();
    private readonly List<MachineHistory> _all = [];

    public IReadOnlyList<MachineHistory> All => _all;

    /// <summary>Asks each one.</summary>
    public void Look()
    {
        List<string> answered = [];
        foreach (string name in only is null ? RunningMachines.List() : [only])
        {
            if (Ask(name) is not { } sample)
                continue;
            answered.Add(name);
            if (_all.Find(machine => machine.Name == name) is not { } known)
            {
                _all.Add(known = new MachineHistory(name));
                _all.Sort((left, right) => string.CompareOrdinal(left.Name, right.Name));
            }

            known.Add(sample);
        }

        foreach (MachineHistory machine in _all)
        {
            if (!answered.Contains(machine.Name))
                machine.End();
        }
    }

    private MachineSample? Ask(string name)
    {
        try
        {
            using ControlClient client = ControlClient.Connect(name);
            JsonElement info = client.Ask(new InfoVerb());
            return MachineSample.Of(info, client.Ask(new StatsVerb()), VcpuTime.Read(_files, info.GetProperty("pid").GetInt64()));
        }
        catch (Exception e) when (e is VmmException or KeyNotFoundException or InvalidOperationException)
        {
            return null; // it has ended, or does not answer any more
        }
    }
}
