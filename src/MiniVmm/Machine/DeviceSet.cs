using MiniVmm.Devices;

namespace MiniVmm.Machine;

/// <summary>The described devices of a machine, made and put on their buses; those that can be are disposed of with it.</summary>
internal sealed class DeviceSet : IDisposable
{
    private readonly List<IBusDevice> _devices = [];
    private readonly List<DeviceWindow> _windows = []; // of each

    /// <summary>Makes the devices of a machine.</summary>
    /// <param name="core">Where registers and interrupts go.</param>
    /// <param name="surroundings">What all devices get; each gets its own line as well.</param>
    /// <param name="devices">What to make.</param>
    /// <exception cref="Kvm.KvmException">No more files for interrupt lines.</exception>
    public DeviceSet(MachineCore core, DeviceSetup surroundings, IEnumerable<DeviceDescription> devices)
        : this(core.Ports, core.Mmio, surroundings, gsi => core.ConnectEdge(gsi), gsi => core.ConnectLevel(gsi), devices)
    {
    }

    internal DeviceSet(
        Bus ports,
        Bus memory,
        DeviceSetup surroundings,
        Func<byte, IInterruptTrigger> connectEdge,
        Func<byte, ILevelInterrupt> connectLevel,
        IEnumerable<DeviceDescription> devices)
    {
        try
        {
            foreach (DeviceDescription description in devices)
            {
                DeviceSetup setup = surroundings;
                if (description.Interrupt is { } gsi)
                {
                    setup = description switch
                    {
                        { IsLevelTriggered: true } => setup with { Level = connectLevel(gsi) },
                        { IsSeldom: true } => setup with { Edge = new PulsedLine(connectLevel(gsi)) },
                        _ => setup with { Edge = connectEdge(gsi) },
                    };
                }

                IBusDevice device = description.Create(setup);
                _devices.Add(device);
                _windows.Add(description.Window);
                (description.Window.IsPort ? ports : memory).Add(
                    device, description.Name, description.Window.Start, description.Window.Length);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Those that have a state, in the order in which they were made.</summary>
    public IEnumerable<ISuspendable> Suspendable => _devices.OfType<ISuspendable>();

    /// <summary>The machine's device of a kind, or null.</summary>
    public T? Find<T>()
        where T : class, IBusDevice => _devices.Find(device => device is T) as T;

    /// <summary>The machine's device of a kind whose ports begin there, or null.</summary>
    public T? At<T>(ushort port)
        where T : class, IBusDevice
    {
        int index = _windows.FindIndex(window => window.IsPort && window.Start == port);
        return index >= 0 ? _devices[index] as T : null;
    }

    public void Dispose()
    {
        for (int i = _devices.Count - 1; i >= 0; i--)
            (_devices[i] as IDisposable)?.Dispose();
        _devices.Clear();
    }
}
