using System.Globalization;
using MiniVmm.Devices;
using MiniVmm.Tests.Virtio;

namespace MiniVmm.Tests.Devices.State;

/// <summary>A virtio device's PCI registers, with all behind them.</summary>
internal sealed class VirtioPciSubject : StateSubject
{
    private readonly TestMemory _memory;
    private readonly bool _ownsMemory;
    private readonly EchoDevice _device = new(16, 8);
    private readonly PciDriver _driver;

    public VirtioPciSubject()
        : this(new TestMemory(), true)
    {
    }

    private VirtioPciSubject(TestMemory memory, bool ownsMemory)
    {
        (_memory, _ownsMemory) = (memory, ownsMemory);
        _driver = new PciDriver(_device, memory);
        _driver.Space.Write16(4, 0x6);
    }

    public override ISuspendable Device => _driver.Function.Suspendable.Last();

    public override void Prepare(Random random)
    {
        TestDriver[] queues = _driver.Start();
        _driver.SetCommon(0x10, (ulong)random.Next(3), 2);
        _driver.SetCommon(0x16, 1, 2);
        _driver.SetCommon(0x1a, (ulong)random.Next(3), 2);
        queues[1].Add(TestBuffer.Readable(_memory.Allocate(8), 8), TestBuffer.Writable(_memory.Allocate(8), 8));
        _driver.Kick(1);
        queues[0].Add(TestBuffer.Readable(_memory.Allocate(8), 8));
        _driver.Threads.Ring(0);
    }

    public override IReadOnlyList<string> Use(Random random)
    {
        _driver.Threads.Run();
        return
        [
            .. Enumerable.Range(0, 15).Select(i => string.Create(
                CultureInfo.InvariantCulture, $"0x{i * 4:x}: 0x{_driver.Common((uint)i * 4, 4):x}")),
        ];
    }

    public override StateSubject Another() => new VirtioPciSubject(_memory, false);

    public override void Dispose()
    {
        _driver.Dispose();
        if (_ownsMemory)
            _memory.Dispose();
    }
}
