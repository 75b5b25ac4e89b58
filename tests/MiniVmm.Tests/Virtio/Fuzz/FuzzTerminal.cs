using MiniVmm.Devices;
using MiniVmm.Virtio.Console;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>Someone at the console, who types, and whose window takes a few bytes at a time.</summary>
internal sealed class FuzzTerminal : IConsoleSink
{
    private static readonly byte[] Text = new byte[8192];
    private int _room;

    public static Func<VirtioConsole> Plug(FuzzHost host)
    {
        FuzzTerminal terminal = new();
        VirtioConsole? console = null;
        host.Stir = () =>
        {
            switch (host.Input.Below(4))
            {
                case 0:
                    terminal._room = host.Input.Pick(0, 100_000, 1, 40, 700);
                    break;
                case 1:
                    console!.Resize(host.Input.Byte(), host.Input.Byte());
                    break;
                default:
                    console!.Receive(Text.AsSpan(0, host.Input.Pick(1, 5, 130, 3000)));
                    break;
            }
        };
        host.Relax = () => terminal._room = int.MaxValue;

        // Buffers may rest with the device while nothing is typed, that is while there is room for all that it holds.
        host.MayKeep = queue => queue == 0 && console!.Receive(Text) == 4096;
        return () => console = new VirtioConsole(terminal);
    }

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
