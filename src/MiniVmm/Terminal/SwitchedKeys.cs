using MiniVmm.Devices;

namespace MiniVmm.Terminal;

/// <summary>
/// Keys for what the user sees: the guest's console, or its screen with the keyboard before it. As long as the guest has printed
/// nothing, both get them: nobody knows yet which of the two it reads.
/// </summary>
/// <param name="console">The guest's console; null for none.</param>
/// <param name="keyboard">Its keyboard.</param>
/// <param name="view">Its screen.</param>
/// <param name="isConsoleUsed">Whether the guest has printed on its console.</param>
internal sealed class SwitchedKeys(IConsoleKeys? console, IConsoleKeys keyboard, ScreenView view, Func<bool> isConsoleUsed)
    : IConsoleKeys
{
    public int Receive(ReadOnlySpan<byte> data)
    {
        if (console is null || view.IsShown)
            return keyboard.Receive(data);
        int taken = console.Receive(data);
        if (!isConsoleUsed())
            _ = keyboard.Receive(data[..taken]);
        return taken;
    }

    public void SendBreak()
    {
        if (console is null || view.IsShown)
            keyboard.SendBreak();
        else
            console.SendBreak();
    }
}
