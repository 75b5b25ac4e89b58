using System.Globalization;
using MiniVmm.Devices;
using MiniVmm.Tests.Virtio;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Devices.State;

/// <summary>A virtio device behind its registers, with a driver that gave it something to do.</summary>
internal sealed class VirtioSubject : StateSubject
{
    private readonly TestMemory _memory;
    private readonly bool _ownsMemory;
    private readonly Func<RegisterDriver, ISuspendable> _select;
    private readonly Func<TestMemory, IVirtioDevice> _make;
    private readonly Action<RegisterDriver, IVirtioDevice> _occupy;
    private readonly IVirtioDevice _device;
    private readonly RegisterDriver _driver;

    /// <param name="make">Makes the device.</param>
    /// <param name="occupy">Fills its queues, once it runs.</param>
    /// <param name="select">What of it gives its state; its registers with all behind them where nothing is said.</param>
    public VirtioSubject(
        Func<TestMemory, IVirtioDevice> make,
        Action<RegisterDriver, IVirtioDevice> occupy,
        Func<RegisterDriver, ISuspendable>? select = null)
        : this(new TestMemory(), true, make, occupy, select ?? (driver => driver.Registers))
    {
    }

    private VirtioSubject(
        TestMemory memory,
        bool ownsMemory,
        Func<TestMemory, IVirtioDevice> make,
        Action<RegisterDriver, IVirtioDevice> occupy,
        Func<RegisterDriver, ISuspendable> select)
    {
        (_memory, _ownsMemory, _make, _occupy, _select) = (memory, ownsMemory, make, occupy, select);
        _device = make(memory);
        _driver = new RegisterDriver(_device, memory);
    }

    public override ISuspendable Device => _select(_driver);

    public override void Prepare(Random random)
    {
        _driver.Start(largest: 8);
        _occupy(_driver, _device);
        _driver.Write(0x14, 1);
        _driver.Write(0x30, (uint)random.Next(3));
    }

    public override IReadOnlyList<string> Use(Random random)
    {
        for (int i = 0; i < 4; i++)
        {
            _driver.Threads.Run();
            foreach (FakeLoop loop in _driver.Threads.Loops)
            {
                loop.Elapse();
                loop.Poll(0);
            }
        }

        List<string> seen = [];
        for (int at = 0; at < 0x140; at += sizeof(uint))
            seen.Add(string.Create(CultureInfo.InvariantCulture, $"0x{at:x}: 0x{_driver.Read(at):x}"));
        return seen;
    }

    public override StateSubject Another() => new VirtioSubject(_memory, false, _make, _occupy, _select);

    public override void Dispose()
    {
        _driver.Dispose();
        if (_ownsMemory)
            _memory.Dispose();
    }
}
