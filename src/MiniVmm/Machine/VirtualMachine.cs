using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using MiniVmm.Control;
using MiniVmm.Devices;
using MiniVmm.Diagnostics;
using MiniVmm.Display;
using MiniVmm.Execution;
using MiniVmm.Firmware;
using MiniVmm.Kvm;
using MiniVmm.Memory;
using MiniVmm.Pci;
using MiniVmm.Terminal;
using MiniVmm.Virtio.Mem;

namespace MiniVmm.Machine;

/// <summary>
/// A virtual machine, from a plan to its end. Built whole or not at all: whatever the host lacks is thrown
/// before the first instruction of the guest.
/// </summary>
public sealed partial class VirtualMachine : IDisposable, IAsyncDisposable
{
    /// <summary>How soon to look again at what a guest does with its vCPUs.</summary>
    private static readonly TimeSpan NextLook = TimeSpan.FromMilliseconds(10);

    private readonly KvmSystem _kvm;
    private readonly MachineCore _core;
    private readonly KvmCounters _counters;
    private readonly Milestones _milestones;
    private readonly MachineOptions _options;
    private readonly Action<OptionMessage> _warn;
    private readonly ScreenshotFile? _screenshotAtEnd;
    private readonly CoreFile? _coreFile;
    private readonly bool _hasFirmware;
    private readonly HostConsole _console;
    private readonly Serial16550? _serial;
    private readonly HostConsole? _console2;
    private readonly AcpiPm? _acpi;
    private readonly DeviceTimer? _clockTimer;
    private readonly VideoMemory? _video;
    private readonly GuestScreen _screen;
    private readonly DeviceSet _pcDevices;
    private readonly MemoryBlocks? _blocks;
    private readonly VirtioDevices? _devices;
    private readonly PcDrives? _drives;
    private readonly PassthroughDevices? _passthrough;
    private readonly IReadOnlyList<ISuspendable> _pciTestDevice = [];
    private readonly ControlServer? _control;
    private readonly GuestTime _time;
    private readonly Processors _processors;
    private Task<StopReason>? _run;

    private VirtualMachine(KvmSystem kvm, MachinePlan plan, Milestones milestones, Action<OptionMessage> warn)
    {
        _kvm = kvm;
        _warn = warn;
        _milestones = milestones;
        MachineOptions options = plan.Options;
        _options = options;
        (_described, _virtioSlots) = (plan.Devices, plan.Virtio);
        _hasFirmware = options.Firmware is not null;
        try
        {
            HostChecks.Run(kvm, plan, warn);
            _core = new MachineCore(kvm);
            _counters = _core.Own(new KvmCounters(_core));
            if (_hasFirmware)
                _core.Own(new FirmwareRom(_core, plan, warn));
            if (options.Topology.MaxApicId >= FirmwareCpus.FirstX2ApicId)
                _core.EnableX2Apic();
            GuestProcessor processor = GuestProcessor.Create(kvm, _core.Vm, plan, warn);

            Backing = _core.MapRam(options.Memory, plan.Memory);
            IPageRelease pages = Backing;
            if (plan.Memory.Pluggable is { } region)
            {
                PluggableRam more = _core.ReserveRam(options.Memory, region, warn);
                _blocks = new MemoryBlocks(region, more);
                pages = new PageReleases([Backing, more.Backing]);
            }

            if (plan.Boot.Framebuffer is not null || options.BochsDisplay)
                _video = CreateVideoMemory(plan);
            milestones.Reach("RAM mapped");

            _core.CreateInterruptControllers(hasPci: plan.PciRoot is not null);

            // With KVM's own port 0x61: the timer's gate and output, by which kernels calibrate their clocks.
            _core.Vm.CreatePit2(KvmConstants.KVM_PIT_SPEAKER_DUMMY);
            if (!_hasFirmware)
                BiosInterrupts.SetUp(_core.Vm, hasPci: plan.PciRoot is not null);
            _time = new GuestTime(_core.Vm);
            milestones.Reach("VM created");

            LoadAll(plan, processor.Cpuid);
            milestones.Reach("kernel and tables in place");

            _screenshotAtEnd = options.ScreenshotAtEnd is { } file ? _core.Own(ScreenshotFile.Create(file)) : null;
            _coreFile = options.CoreFile is { } core ? _core.Own(CoreFile.Create(core)) : null;
            _console = _core.Own(new HostConsole(options.Consoles, _core.Lifecycle));
            if (options.SecondConsole is { } second)
                _console2 = _core.Own(new HostConsole(second, _core.Lifecycle));
            PciHost pci = new(_core, plan.PciRoot);
            DeviceSetup surroundings = new()
            {
                Memory = Memory,
                Pci = pci.Bus,
                Map = plan.Memory,
                Power = Lifecycle,
                Clock = TimeProvider.System,
                Rtc = options.Rtc,
                Console = _console.SerialSink,
                DebugConsole = _console.DebugSink,
                Processors = _core.Vcpus,
                Line = gsi => _core.ConnectLevel(gsi),
            };
            if (_console2 is not null)
                surroundings = surroundings with { SecondConsole = _console2.Sink };
            _pcDevices = _core.Own(new DeviceSet(_core, surroundings, plan.Devices));
            _serial = _pcDevices.At<Serial16550>(IoPorts.Serial);
            _acpi = _pcDevices.Find<AcpiPm>();
            if (_pcDevices.Find<Rtc>() is { } clock)
                clock.Timer = _clockTimer = _core.Own(new DeviceTimer("real-time clock", clock, warn));
            _screen = new GuestScreen(Memory, _pcDevices.Find<VgaCrtc>(), CreateRamFramebuffer(options), _video?.Framebuffer);
            ConnectDisplay(options);
            if (_hasFirmware)
                FirmwareSetup.Install(_core, pci, _pcDevices, options, _console.DebugSink);
            if (options.HasIde)
                _drives = _core.Own(new PcDrives(_core, _hasFirmware ? pci.Bus : null, options, warn));
            if (plan.Virtio.Count > 0)
                _devices = _core.Own(new VirtioDevices(
                    plan, new VirtioWiring(_core, pci, warn), Memory, pages, _blocks, _console.Sink, warn));
            if (plan.Passthrough.Count > 0)
                _passthrough = _core.Own(new PassthroughDevices(_core, pci, plan.Passthrough, warn));
            int functions = plan.Virtio.Count + plan.Passthrough.Count;
            if (options.PciTestDevice)
                _pciTestDevice = AddTestDevice(pci, PciSlot.Of(functions++, options.FirstPciDevice));
            if (options.BochsDisplay)
                AddBochsDisplay(pci, PciSlot.Of(functions, options.FirstPciDevice), plan);
            pci.Assign();

            if (options.Gdb is { } address)
                _gdb = CreateGdbServer(address, plan);
            _processors = new Processors(kvm, _core, options, processor.Apply, _pcDevices.Find<CpuHotPlug>());
            Enter(plan.Boot);
            milestones.Reach("vCPUs created");

            // Last, so that whoever asks finds a whole machine.
            if (options is { Name: { } name, HostListens: false })
                _control = _core.Own(ControlServer.Listen(name, AsControlled(options)));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The host memory behind guest RAM.</summary>
    public RamBacking Backing { get; }

    /// <summary>The vCPUs and what they counted; those that were taken out of the machine are still listed.</summary>
    public IReadOnlyList<VcpuThread> Vcpus => _core.Vcpus;

    internal GuestMemory Memory => _core.Memory.Ram;

    private Lifecycle Lifecycle => _core.Lifecycle;

    /// <summary>The balloon as it is now; null for a machine without one.</summary>
    public BalloonState? Balloon => _devices?.Balloon is { } balloon ? new(balloon.Target, balloon.Actual) : null;

    /// <summary>
    /// RAM as it is now, where more can come (<see cref="MemoryOptions.Max"/>); null for a machine that has all of it at the
    /// start.
    /// </summary>
    public MemoryState? PluggableMemory => _devices?.Mem is { } mem
        ? new(Backing.Length, Backing.Length + mem.MostBytes, Backing.Length + mem.Requested, Backing.Length + mem.Plugged)
        : null;

    /// <summary>
    /// Asks the guest to have so much RAM in all, from any thread; its driver comes to it when it can, as
    /// <see cref="PluggableMemory"/> shows.
    /// </summary>
    /// <param name="bytes">Rounded down to whole blocks beyond what it started with.</param>
    /// <exception cref="BadInputException">Less than it started with, or more than the most.</exception>
    /// <exception cref="InvalidOperationException">The machine has all of its RAM at the start.</exception>
    public void SetMemory(ulong bytes)
    {
        MemoryState state = PluggableMemory
            ?? throw new InvalidOperationException("only a machine with MemoryOptions.Max gets more memory");
        state.Check(bytes);
        _devices!.Mem!.SetRequested(bytes - state.StartBytes);
    }

    /// <summary>How many vCPUs are in the machine, and how many are to be.</summary>
    public CpusState Cpus => _processors.State;

    /// <summary>Gets each vCPU that comes while the machine runs for the first time, before it runs.</summary>
    internal Action<VcpuThread>? VcpuMade
    {
        set => _processors.Made = value;
    }

    /// <summary>What disks, networks and whatever else counts have counted so far; at any time.</summary>
    public IReadOnlyList<DeviceCounters> ReadDeviceCounters() => _devices?.ReadCounters() ?? [];

    /// <summary>What the kernel has counted of it.</summary>
    internal KvmCounters KvmCounters => _counters;

    /// <summary>The machine as a control socket sees it, whoever's that is.</summary>
    /// <param name="options">Those that it was built of.</param>
    internal IControlledMachine AsControlled(MachineOptions options) =>
        new ControlledMachine(this, options, _devices?.Balloon);

    /// <summary>Builds the machine; the plan can be disposed of afterwards.</summary>
    /// <param name="plan">What to build.</param>
    /// <param name="milestones">Notes the steps of the start.</param>
    /// <param name="warn">Takes one line for each thing that is not as asked, or hurts.</param>
    /// <exception cref="VmmException">The host cannot, or an option does not fit it.</exception>
    /// <exception cref="KvmException">KVM refused something.</exception>
    internal static VirtualMachine Create(MachinePlan plan, Milestones milestones, Action<OptionMessage> warn)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return new VirtualMachine(KvmSystem.Open(), plan, milestones, warn);
    }

    /// <summary>Builds the machine; the plan can be disposed of afterwards.</summary>
    /// <param name="plan">What to build.</param>
    /// <param name="warn">Takes one line for each thing that is not as asked, or hurts; null for nobody.</param>
    /// <exception cref="VmmException">The host cannot, or an option does not fit it.</exception>
    /// <exception cref="KvmException">KVM refused something.</exception>
    public static VirtualMachine Create(MachinePlan plan, Action<OptionMessage>? warn = null) =>
        Create(plan, new Milestones(), warn ?? (_ => { }));

    /// <summary>Ends the machine from outside, from any thread, before or while it runs.</summary>
    public void Stop(StopReason reason) => Lifecycle.Stop(reason);

    /// <summary>
    /// Presses the machine's ACPI power button, from any thread; a guest that listens shuts down by itself, when it likes.
    /// </summary>
    /// <returns>
    /// Whether the guest listens. A press that it does not listen to stays pending, as on a PC, but most kernels drop it.
    /// </returns>
    /// <exception cref="ObjectDisposedException">The machine is disposed of, and its guest had been listening.</exception>
    public bool PowerButton() => _acpi?.PressPowerButton() ?? false;

    /// <summary>
    /// Has the machine so many vCPUs, the first ones: puts those in that are missing, and asks the guest to give the others
    /// up. Completes when the guest has done so, or has refused, or has said nothing for the time of
    /// <paramref name="patience"/>; of a machine that is paused at once.
    /// </summary>
    /// <param name="count">From 1 to <see cref="CpusState.Most"/>.</param>
    /// <param name="patience">How long the guest may say nothing; 5 seconds if left out.</param>
    /// <returns>What came of it.</returns>
    /// <exception cref="BadInputException">The machine cannot have so many.</exception>
    /// <exception cref="HostLimitException">The host has no thread for one, or a device holds one up.</exception>
    /// <exception cref="KvmException">KVM has none to give.</exception>
    /// <exception cref="ObjectDisposedException">The machine has ended.</exception>
    public async Task<CpusState> SetCpusAsync(int count, TimeSpan? patience = null)
    {
        TimeSpan limit = patience ?? TimeSpan.FromSeconds(5);
        CpusState state = await Task.Run(() => SetCpus(count)).ConfigureAwait(false);
        long moved = Environment.TickCount64;
        while (!state.IsSettled && !IsPaused && !Lifecycle.IsStopping
            && Environment.TickCount64 - moved < limit.TotalMilliseconds)
        {
            await Task.Delay(NextLook).ConfigureAwait(false);
            CpusState next = Cpus;
            if ((next.Present, next.Pending, next.Leaving) != (state.Present, state.Pending, state.Leaving))
                moved = Environment.TickCount64;
            state = next;
        }

        return state;
    }

    /// <summary><see cref="SetCpusAsync"/>, without waiting for the guest.</summary>
    internal CpusState SetCpus(int count)
    {
        lock (_pausing)
        {
            ObjectDisposedException.ThrowIf(Lifecycle.IsStopping, this);
            _processors.Set(count);
            return _processors.State;
        }
    }

    /// <summary>
    /// Where its serial ports can be reached by somebody who is still to come: those of <see cref="ConsoleKind.Pty"/> and
    /// <see cref="ConsoleKind.Socket"/>.
    /// </summary>
    public IEnumerable<(string Port, string Place)> ConsolePlaces =>
        from port in (IEnumerable<(string Name, HostConsole? Console)>)[("COM1", _console), ("COM2", _console2)]
        where port.Console?.Place is not null
        select (port.Name, port.Console!.Place!);

    /// <summary>Starts the vCPUs' threads, once; they get ready while the caller does, and wait.</summary>
    /// <exception cref="HostLimitException">The host has no thread left.</exception>
    public void Start()
    {
        _devices?.Start();
        _drives?.Start();
        _core.Vcpus.Start();
    }

    /// <summary>
    /// Gives the guest its input, lets it run, and waits for its end: then its text is out, and the terminal is as it was.
    /// The caller watches for the signals that would leave the terminal raw.
    /// </summary>
    /// <param name="timeout">Longest run, with what it waits for somebody at its console, or null for none.</param>
    /// <param name="begun">Called once the guest may run, and once more when its threads have come to their work; null for nothing.</param>
    /// <exception cref="HostLimitException">A vCPU's thread cannot be pinned; none has run.</exception>
    public StopReason WaitForEnd(TimeSpan? timeout, Action? begun = null)
    {
        long start = Stopwatch.GetTimestamp();
        _core.Vcpus.WaitUntilOut();
        AttachTerminal();
        if (_console2 is not null && _pcDevices.At<Serial16550>(IoPorts.Serial2) is { } com2)
            _console2.AttachInput(com2);
        bool waits = _console.WaitsForPeer || _console2 is { WaitsForPeer: true };
        if (waits)
            Pause(PauseReasons.Console); // gdb and ctl can look at it meanwhile
        _milestones.Reach("vCPU threads ready");
        lock (_pausing)
        {
            _isLive = true;
            if (IsPaused)
            {
                Freeze();
            }
            else
            {
                _time.GoOn(_core.Vcpus); // a restored machine's
                _core.Vcpus.Resume();
            }
        }

        _gdb?.Start();
        if (waits)
        {
            _console.WaitForPeer(Left());
            _console2?.WaitForPeer(Left());
            Resume(PauseReasons.Console);
        }

        begun?.Invoke();
        Lifecycle.Wait(Left(), begun is null ? Look() : Settling(begun, Look()));
        _core.Vcpus.Join();
        lock (_pausing)
            _isLive = false;
        _control?.Dispose(); // nobody asks for figures of devices that are going
        _gdb?.End(Lifecycle.Reason);
        _console.DetachInput(); // of keys that a device would get
        _console2?.DetachInput();
        _devices?.Dispose(); // which may still have something to print
        _console.Dispose();
        _console2?.Dispose();
        StopTrace();
        WriteFiles();

        long[] first = [.. Vcpus.Select(vcpu => vcpu.Statistics.FirstExit).Where(at => at != 0)];
        if (first.Length > 0)
            _milestones.Reach("first exit of a vCPU", first.Min());
        _milestones.Reach($"end: {Lifecycle.Reason.Kind}");
        return Lifecycle.Reason;

        TimeSpan? Left() => timeout - Stopwatch.GetElapsedTime(start);
    }

    /// <summary>
    /// The guest's console of <see cref="ConsoleKind.Stream"/>: what it prints is read, what is written is typed. Ends with
    /// the machine; a guest waits for a reader that does not read, and one that closes it ends the machine. Take it once.
    /// </summary>
    /// <exception cref="InvalidOperationException">The console is another kind, or was taken.</exception>
    public Stream OpenConsole() =>
        new NetworkStream(new Socket(new SafeSocketHandle(_console.TakeStream(), ownsHandle: true)), ownsSocket: true);

    /// <summary>The same as a file, for whoever has a thread to wait with.</summary>
    internal SafeFileHandle TakeConsole() => new(_console.TakeStream(), ownsHandle: true);

    /// <summary>
    /// Runs the machine to its end, on threads of its own: no thread of the caller's waits. The task gives the reason; it
    /// fails only where the machine could not start.
    /// </summary>
    /// <param name="timeout">Longest run, or null for none.</param>
    /// <param name="cancellation">Ends the machine, for <see cref="StopKind.Interrupted"/>.</param>
    /// <exception cref="InvalidOperationException">It runs already, or has run.</exception>
    /// <exception cref="HostLimitException">
    /// The host has no thread left. By the task: a vCPU has none, or cannot be pinned.
    /// </exception>
    public Task<StopReason> RunAsync(TimeSpan? timeout = null, CancellationToken cancellation = default) =>
        _run = Lifecycle.RunAsync(
            () =>
            {
                Start();
                return WaitForEnd(timeout);
            },
            cancellation);

    /// <summary>Ends the machine and waits for its end.</summary>
    public async Task StopAsync()
    {
        Stop(new(StopKind.Interrupted));
        if (_run is { } run)
            await ((Task)run).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Whether the end was a triple fault, at which a PC's processor shuts down.</summary>
    internal bool DiedOfTripleFault =>
        Lifecycle.Reason is { Kind: StopKind.Crash, Value: uint vcpu } && Vcpus[(int)vcpu].HasShutDown;

    /// <summary>
    /// Ends the vCPUs' threads if any still run, and closes everything in the opposite order; the terminal and files
    /// are as before.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync().ConfigureAwait(false);
        Dispose();
    }

    /// <inheritdoc cref="DisposeAsync"/>
    public void Dispose()
    {
        // Not there where the host could not even make a VM.
        _core?.End();
        _gdb?.Dispose(); // it looks at vCPUs
        if (_core is not null)
            StopTrace();
        _vnc?.Dispose(); // it looks at guest RAM, and raises interrupts
        _console?.DetachInput(); // it raises interrupts
        _console2?.DetachInput();
        _core?.Dispose();
        _kvm.Dispose();
    }

    private IReadOnlyList<ISuspendable> AddTestDevice(PciHost pci, PciSlot slot)
    {
        (PciEndpoint endpoint, IReadOnlyList<ISuspendable> tests) =
            PciTestDevice.Create(pci.Bus.Decoding, _core.Mmio, _core.Ports);
        pci.Add(slot, endpoint, endpoint);
        return [endpoint, .. tests];
    }
}
