using System.Reflection;
using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Memory;
using MiniVmm.Network;
using MiniVmm.Pci;
using MiniVmm.Sharing;
using MiniVmm.Storage;
using MiniVmm.Tests.Pci;
using MiniVmm.Tests.Storage;
using MiniVmm.Tests.Virtio;
using MiniVmm.Tests.Virtio.Balloon;
using MiniVmm.Tests.Virtio.Mem;
using MiniVmm.Tests.Virtio.Net;
using MiniVmm.Virtio;
using MiniVmm.Virtio.Balloon;
using MiniVmm.Virtio.Block;
using MiniVmm.Virtio.Console;
using MiniVmm.Virtio.Mem;
using MiniVmm.Virtio.Net;
using MiniVmm.Virtio.Rng;
using MiniVmm.Virtio.Share;

namespace MiniVmm.Tests.Devices.State;

/// <summary>Every kind of device that gives its state: one entry each.</summary>
internal static class StateSubjects
{
    public static IReadOnlyDictionary<Type, Func<StateSubject>> All { get; } = new Dictionary<Type, Func<StateSubject>>
    {
        [typeof(Serial16550)] =
            () => new BusSubject(at => new Serial16550(at.Sink, at.Line), Serial16550.Length, Type),
        [typeof(Rtc)] =
            () => new BusSubject(
                at => new Rtc(new GuestMemoryMap(64 * MemoryLayout.MiB), at.Clock) { Line = at.Line },
                Rtc.Length,
                (device, _) => ((ITimedDevice)device).DoWhatIsDue()),
        [typeof(I8042)] = () => new BusSubject(
            at => new I8042(at.Power) { KeyboardLine = at.Line, MouseLine = at.Line }, I8042.Length, Press),
        [typeof(PciTestRegisters)] = () => new BusSubject(_ => new PciTestRegisters("mmio", 16), 32),
        [typeof(EchoRegisters)] = () => new BusSubject(_ => new EchoRegisters("test-ports", 4), 4),
        [typeof(BochsDispi)] = () => new BusSubject(
            _ => new BochsDispi(new LinearFramebuffer(0, length: 0), MemoryLayout.FramebufferSize), BochsDispi.Length),
        [typeof(VgaCrtc)] = () => new BusSubject(_ => new VgaCrtc(), VgaCrtc.Length),
        [typeof(AcpiPm)] =
            () => new BusSubject(
                at => new AcpiPm(at.Sci, at.Power, () => at.Clock.Utc.Ticks * 100),
                AcpiPm.Length,
                (device, _) => ((AcpiPm)device).PressPowerButton()),
        [typeof(CpuHotPlug)] = () => new BusSubject(at => new CpuHotPlug(4, new StillBay(), at.Sci), CpuHotPlug.Length, Want),
        [typeof(FwCfg)] = () => new BusSubject(_ => FwCfgTests.Writable(new GuestMemory([])), FwCfg.Length),
        [typeof(ResetControl)] = () => new BusSubject(at => new ResetControl(at.Power), 1),
        [typeof(PciConfiguration)] =
            () => new BusSubject(
                at => new PciConfiguration(at.Power, new PciBus(new PciDecoding(PciWindows.None))), PciConfiguration.Length),
        [typeof(MsixTable)] = () => new BusSubject(
            _ => new MsixTable([.. Enumerable.Range(0, 3).Select(_ => new FakeMessageLine())]),
            0x808,
            (device, random) => ((MsixTable)device).Trigger(random.Next(3))),
        [typeof(PciEndpoint)] = () => new PciSubject(),
        [typeof(VirtioPci)] = () => new VirtioPciSubject(),
        [typeof(VirtioMmio)] = () => new VirtioSubject(_ => new EchoDevice(16, 8), Echo),
        [typeof(VirtioTransport)] =
            () => new VirtioSubject(_ => new EchoDevice(16, 8), Echo, driver => driver.Transport),
        [typeof(VirtioBlock)] = () => new VirtioSubject(_ => Disk(), Request),
        [typeof(VirtioNet)] = () => new VirtioSubject(_ => Card(), Frame),
        [typeof(VirtioConsole)] = () => new VirtioSubject(_ => new VirtioConsole(new FullSink()), Print),
        [typeof(VirtioBalloon)] = () => new VirtioSubject(Balloon, Inflate),
        [typeof(VirtioMem)] = Memory,
        [typeof(MemoryBlocks)] = () => new BlocksSubject(),
        [typeof(VirtioRng)] = () => new VirtioSubject(_ => new VirtioRng(), (_, _) => { }),
        [typeof(VirtioShare)] = () => new VirtioSubject(
            _ => new VirtioShare(SharedFolder.Open(new() { Folder = "/", ReadOnly = true }), "share"), (_, _) => { }),
    };

    public static TheoryData<string> Names => [.. All.Keys.Select(type => type.Name)];

    /// <summary>Those of the library.</summary>
    public static Type[] Suspendable { get; } =
    [
        // What KVM knows of a machine needs a KVM: KvmStateTests.
        .. Library.Where(type => type.IsAssignableTo(typeof(ISuspendable)) && type is { IsAbstract: false }
            && type.Namespace != "MiniVmm.Machine"),
    ];

    /// <summary>All kinds of devices that could have a state.</summary>
    public static Type[] WithState { get; } =
    [
        .. Library.Where(type => type is { IsAbstract: false }
            && (type.IsAssignableTo(typeof(IVirtioDevice))
                || (type.IsAssignableTo(typeof(IBusDevice)) && Fields(type).Any(CanChange)))),
    ];

    private static Type[] Library => typeof(ISuspendable).Assembly.GetTypes();

    public static StateSubject Make(string name) => All.Single(each => each.Key.Name == name).Value();

    private static IEnumerable<FieldInfo> Fields(Type? type)
    {
        for (; type is not null; type = type.BaseType)
        {
            foreach (FieldInfo field in type.GetFields(
                BindingFlags.Instance | BindingFlags.DeclaredOnly | BindingFlags.Public | BindingFlags.NonPublic))
                yield return field;
        }
    }

    // A constructor's parameter that is kept is no field of anybody's choosing: "<power>P".
    private static bool CanChange(FieldInfo field) =>
        (!field.IsInitOnly && !field.Name.EndsWith(">P", StringComparison.Ordinal)) || field.FieldType.IsArray;

    private static void Type(IBusDevice device, Random random)
    {
        Serial16550 serial = (Serial16550)device;
        byte[] text = new byte[random.Next(40)];
        random.NextBytes(text);
        if (random.Next(4) == 0)
            serial.SendBreak();
        else
            serial.Receive(text);
    }

    private static void Press(IBusDevice device, Random random)
    {
        I8042 controller = (I8042)device;
        if (random.Next(2) == 0)
            controller.TryReport(new((ushort)random.Next(1, 0x58)), random.Next(2) == 0);
        else
            controller.MoveMouse(random.Next(-300, 300), random.Next(-300, 300), random.Next(-9, 9), (byte)random.Next(8));
    }

    private static void Want(IBusDevice device, Random random)
    {
        CpuHotPlug processors = (CpuHotPlug)device;
        int index = random.Next(1, 4);
        switch (random.Next(3))
        {
            case 0:
                processors.RequestInsertion(index);
                break;
            case 1:
                _ = processors.RequestEjection(index);
                break;
            default:
                processors.Keep(index);
                break;
        }
    }

    private static void Echo(RegisterDriver driver, IVirtioDevice device)
    {
        TestMemory memory = driver.Memory;
        driver.WriteConfiguration(2, [1, 2, 3]);
        for (int i = 0; i < 3; i++)
            driver.Queues[1].Add(TestBuffer.Readable(memory.Allocate(8), 8), TestBuffer.Writable(memory.Allocate(8), 8));
        driver.Kick(1);
        driver.Queues[0].Add(TestBuffer.Readable(memory.Allocate(8), 8));
        driver.Threads.Ring(0); // and nobody heard it yet
    }

    private static VirtioBlock Disk()
    {
        long now = 0;
        return new VirtioBlock(
            new MemoryImage(1 << 20), new DiskOptions { File = "disk.img" }, 2, _ => { }, () => ++now, workers: 0);
    }

    private static void Request(RegisterDriver driver, IVirtioDevice device)
    {
        TestMemory memory = driver.Memory;
        driver.WriteConfiguration(32, [0]);
        ulong header = memory.Allocate(16);
        for (int i = 0; i < 2; i++)
        {
            driver.Queues[1].Add(
                TestBuffer.Readable(header, 16),
                TestBuffer.Writable(memory.Allocate(512), 512),
                TestBuffer.Writable(memory.Allocate(1), 1));
            if (i == 0)
                driver.Kick(1);
        }
    }

    private static VirtioNet Card() =>
        new(new SocketEndpoint(hasHeader: true, pairs: 2, NetOffloads.All), new MacAddress(0x5254_00ab_cdef));

    /// <summary>A frame that waits for more buffers, two pairs in use, fewer offloads, another address.</summary>
    private static void Frame(RegisterDriver driver, IVirtioDevice device)
    {
        TestMemory memory = driver.Memory;
        Command(driver, [1, 1, 2, 3, 4, 5, 6, 7]);
        Command(driver, [4, 0, 2, 0]);
        Command(driver, [5, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for (int i = 0; i < 2; i++)
            driver.Queues[0].Add(TestBuffer.Writable(memory.Allocate(64), 64));
        driver.Kick(0);
        ((SocketEndpoint)Endpoint(device)).Send(new byte[12 + 200]);
        driver.Threads.Loops[0].Poll(0);
        driver.Queues[1].Add(TestBuffer.Readable(memory.Allocate(80), 80));
    }

    private static object Endpoint(IVirtioDevice card) =>
        typeof(VirtioNet).GetField("_endpoint", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(card)!;

    private static void Command(RegisterDriver driver, byte[] command)
    {
        ulong answer = driver.Memory.Place<byte>(0xee);
        driver.Queues[4].Add(
            TestBuffer.Readable(driver.Memory.Place(command), command.Length), TestBuffer.Writable(answer, 1));
        driver.Kick(4);
        Assert.True(driver.Queues[4].TryReap(out _, out _));
        Assert.Equal(0, driver.Memory.Read<byte>(answer));
        driver.Threads.Loops[0].Poll(0);
        driver.Threads.Loops[1].Poll(0);
    }

    /// <summary>What is printed waits in the middle of a buffer, and what is typed for one.</summary>
    private static void Print(RegisterDriver driver, IVirtioDevice device)
    {
        VirtioConsole console = (VirtioConsole)device;
        console.Resize(80, 25);
        console.Receive("typed ahead"u8);
        TestMemory memory = driver.Memory;
        driver.Queues[1].Add(
            TestBuffer.Readable(memory.Place(new byte[30]), 30), TestBuffer.Readable(memory.Place(new byte[90]), 90));
        driver.Kick(1);
    }

    private static VirtioBalloon Balloon(TestMemory memory) =>
        new(new BalloonOptions(64 * 1024), memory.Memory, new RecordingRelease(8192), _ => { });

    private static void Inflate(RegisterDriver driver, IVirtioDevice device)
    {
        TestMemory memory = driver.Memory;
        driver.WriteConfiguration(4, [3, 0, 0, 0]);
        driver.WriteConfiguration(12, [0xaa, 0xaa, 0xaa, 0xaa]);
        driver.Queues[0].Add(TestBuffer.Readable(memory.Place(new byte[] { 100, 0, 0, 0, 102, 0, 0, 0 }), 8));
        driver.Kick(0);
        driver.Queues[2].Add(TestBuffer.Readable(memory.Place(new byte[10]), 10));
        driver.Kick(2);
    }

    /// <summary>Its blocks are the machine's, and have a state of their own.</summary>
    private static VirtioSubject Memory()
    {
        MemoryBlocks blocks = new(RecordingBlocks.Small, new RecordingBlocks(RecordingBlocks.Small));
        return new VirtioSubject(_ => new VirtioMem(blocks), (_, device) => ((VirtioMem)device).SetRequested(8 << 20));
    }

    /// <summary>All processors but the last are in, whatever happens.</summary>
    private sealed class StillBay : IProcessorBay
    {
        public bool IsPresent(int index) => index < 3;

        public void TakeOut(int index)
        {
            // What is in stays in.
        }
    }

    /// <summary>Takes 50 bytes, and no more.</summary>
    private sealed class FullSink : IConsoleSink
    {
        private int _room = 50;

        public void Write(byte value)
        {
            // Nobody reads it.
        }

        public int TryWrite(ReadOnlySpan<byte> text)
        {
            int taken = Math.Min(text.Length, _room);
            _room -= taken;
            return taken;
        }
    }
}
