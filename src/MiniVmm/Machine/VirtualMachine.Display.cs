using MiniVmm.Devices;
using MiniVmm.Diagnostics;
using MiniVmm.Display;
using MiniVmm.Display.Rfb;
using MiniVmm.Memory;
using MiniVmm.Pci;

namespace MiniVmm.Machine;

/// <summary>What a machine shows, and what is typed on its keyboard.</summary>
public sealed partial class VirtualMachine
{
    private VncServer? _vnc;
    private IReadOnlyList<ISuspendable> _bochsDisplay = [];

    /// <summary>What the guest's screen shows now, as a PNG file; at any time before disposal.</summary>
    public byte[] Screenshot() => PngFile.Encode(_screen.Capture());

    /// <summary>
    /// Types a text on the guest's keyboard, a US one, from any thread; a line feed is Enter. Only a machine with a name or a
    /// display raises the keyboard's interrupt: in any other a guest has to look by itself.
    /// </summary>
    /// <exception cref="BadInputException">A letter has no key there, or the machine has no keyboard: nothing is typed.</exception>
    /// <exception cref="HostLimitException">The guest does not read its keyboard, and no more can wait: a part is typed.</exception>
    public void TypeText(string text) => Typist.Type(text);

    /// <summary>
    /// Presses keys together and releases them, by QEMU's names: "ctrl-alt-delete"; after a blank the next ones. As
    /// <see cref="TypeText"/>.
    /// </summary>
    /// <inheritdoc cref="TypeText" path="/exception"/>
    public void PressKeys(string keys) => Typist.Press(keys);

    /// <summary>Bytes of scan codes that the guest has not read.</summary>
    internal int WaitingKeys => Typist.Waiting;

    private Typist Typist => new(_pcDevices.Find<I8042>() ?? throw new BadInputException("the machine has no keyboard"));

    /// <summary>Whether the guest's last line on standard output has no end yet.</summary>
    internal bool LeavesLineOpen => _console.LeavesLineOpen || _console2?.LeavesLineOpen == true;

    /// <summary>The lines of the text screen, if the guest wrote there what no console printed; else none. After its end.</summary>
    internal IReadOnlyList<string> ReadUnseenScreen() => ScreenText.Unseen(_screen.Text, _console.Recent());

    /// <summary>The text screen, if the guest wrote there what no console printed; else empty.</summary>
    private string UnseenScreen() => EndReport.OfScreen(_screen, _console.Recent());

    /// <summary>Video memory, where the kernel is told that it is; behind a BAR it is mapped later.</summary>
    private VideoMemory CreateVideoMemory(MachinePlan plan)
    {
        VideoMemory video = _core.Own(new VideoMemory(_core.Memory));
        if (plan.Boot.Framebuffer is not { } info)
            return video;
        video.Show(info);
        if (!plan.Options.BochsDisplay)
            video.Map(info.Address);
        return video;
    }

    private LinearFramebuffer? CreateRamFramebuffer(MachineOptions options)
    {
        if (!options.Ramfb)
            return null;
        RamFramebuffer ramfb = new(Memory);
        _pcDevices.Find<FwCfg>()!.Accept(RamFramebuffer.File, ramfb);
        return ramfb.Framebuffer;
    }

    private void AddBochsDisplay(PciHost pci, PciSlot slot, MachinePlan plan)
    {
        (PciEndpoint endpoint, BochsDispi registers) = BochsDisplay.Add(
            _core, pci, slot, _video!, plan.Options.Firmware is null ? MemoryLayout.Framebuffer : null);
        if (plan.Boot.Framebuffer is { } info)
            registers.SetMode(info.Width, info.Height);
        _bochsDisplay = [endpoint, registers];
    }

    /// <summary>Joins the user's terminal with the guest's console, and its screen and keyboard.</summary>
    private void AttachTerminal()
    {
        if (_console.CanShowScreen && _pcDevices.Find<I8042>() is { } keyboard)
            _console.AttachScreen(_screen, new TerminalKeys(keyboard));
        if (_devices?.Console is { } virtio)
            _console.FollowSize(virtio.Resize);
        _console.AttachInput(_devices?.Console ?? (IConsoleKeys?)_serial);
    }

    /// <summary>Interrupt lines for those who can type, and VNC; no other machine has use for them.</summary>
    private void ConnectDisplay(MachineOptions options)
    {
        I8042? controller = _pcDevices.Find<I8042>();
        if (controller is not null && (options.Name is not null || options.Vnc is not null || _console.CanShowScreen))
            controller.KeyboardLine ??= _core.ConnectEdge(IoPorts.KeyboardIrq);
        if (options.Vnc is not { } address)
            return;
        if (controller is not null)
            controller.MouseLine = _core.ConnectEdge(IoPorts.MouseIrq);
        _vnc = new VncServer(options.Name ?? "MiniVmm", address, _screen, controller);
    }
}
