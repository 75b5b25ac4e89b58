using MiniVmm.Devices;

namespace MiniVmm.Display.Rfb;

/// <summary>What one client presses and points at, on a PS/2 keyboard and mouse; what it holds is released when it goes.</summary>
/// <param name="controller">Their controller.</param>
internal sealed class RfbInput(I8042 controller) : IRfbInput
{
    private const int MostHeld = 32;
    private const byte WheelUp = 0x08, WheelDown = 0x10;

    private readonly List<ScanCode> _down = [];
    private (int X, int Y)? _pointer;
    private byte _buttons;

    public void Key(uint keysym, bool down)
    {
        if (!Keysyms.TryFind(keysym, out ScanCode key))
            return;
        bool held = _down.Contains(key);
        if (down ? !held && _down.Count == MostHeld : !held)
            return;
        if (!down)
            _down.Remove(key);
        else if (!held) // else it repeats
            _down.Add(key);

        _ = controller.TryReport(key, down); // a guest that does not read its keyboard loses keys, as on a PC
    }

    /// <summary>A mouse moves, where a pointer is somewhere: the way from the last place.</summary>
    public void Pointer(int x, int y, byte buttons)
    {
        (int lastX, int lastY) = _pointer ?? (x, y);
        _pointer = (x, y);
        int pressed = buttons & ~_buttons;
        int wheel = ((pressed & WheelDown) != 0 ? 1 : 0) - ((pressed & WheelUp) != 0 ? 1 : 0);
        _buttons = buttons;
        byte mouse = (byte)((buttons & 1) | ((buttons & 2) << 1) | ((buttons & 4) >> 1));
        controller.MoveMouse(x - lastX, lastY - y, wheel, mouse);
    }

    /// <summary>The client is gone.</summary>
    public void ReleaseAll()
    {
        foreach (ScanCode key in _down)
            _ = controller.TryReport(key, down: false);
        _down.Clear();
        if (_buttons != 0)
            controller.MoveMouse(0, 0, 0, 0);
    }
}
