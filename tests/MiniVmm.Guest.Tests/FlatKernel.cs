using System.Buffers.Binary;

namespace MiniVmm.Guest.Tests;

/// <summary>Kernels of a few instructions, made by hand: flat multiboot 1 files, loaded and entered at 1 MiB in 32-bit code.</summary>
internal static class FlatKernel
{
    private const uint Address = 0x10_0000;
    private const uint Magic = 0x1bad_b002;
    private const uint HasAddresses = 1 << 16;

    /// <summary>Prints each byte on each of the ports, and ends by the debug-exit port with 0.</summary>
    public static byte[] Printing(string text, params ushort[] ports) => File([.. Print(text, ports), .. Out(0xf4, 0)]);

    /// <summary>Prints the text on COM1, and dies of an instruction that there is not, without an IDT.</summary>
    public static byte[] DyingAfter(string text) => File([.. Print(text, 0x3f8), 0x0f, 0x0b]); // ud2

    /// <summary>Where <see cref="PrintingMany"/> has printed all.</summary>
    public const uint AfterMany = Address + 32 + 15;

    /// <summary>Prints the letter x on COM1 so many times, and dies as <see cref="DyingAfter"/>, or ends by the debug-exit port with 0.</summary>
    public static byte[] PrintingMany(uint times, bool dies) => File(
    [
        0xb9, .. Dword(times), // mov ecx, times
        .. Out(0x3f8, (byte)'x'),
        0x49, 0x75, 0xfc, // dec ecx; jnz the last out
        .. dies ? [0x0f, 0x0b] : Out(0xf4, 0),
    ]);

    /// <summary>Prints the letter x for ever, without ever ending a line.</summary>
    public static byte[] PrintingWithoutEnd
    {
        get
        {
            byte[] print = Out(0x3f8, (byte)'x');
            return File([.. print, 0xeb, (byte)-(print.Length + 2)]); // jmp back to it
        }
    }

    /// <summary>Writes white letters to the top left of the text screen, and halts with interrupts off.</summary>
    public static byte[] OnScreen(string text)
    {
        List<byte> code = [];
        uint cell = 0xb_8000;
        foreach (char letter in text)
        {
            // mov word [cell], attribute and letter
            code.AddRange([0x66, 0xc7, 0x05, .. Dword(cell), (byte)letter, 0x07]);
            cell += 2;
        }

        return File([.. code, 0xfa, 0xf4]); // cli; hlt
    }

    /// <summary>Ends by the debug-exit port with a byte of the real-time clock.</summary>
    public static byte[] EndingWithClock(byte index) => File([.. Out(0x70, index), 0xe4, 0x71, 0xe6, 0xf4]); // in al, 0x71; out 0xf4, al

    /// <summary>
    /// Has the real-time clock tick 1024 times a second, takes so many ticks off the second 8259, and ends by the debug-exit
    /// port with 1; with what register C said where that was no periodic interrupt.
    /// </summary>
    public static byte[] CountingClockTicks(byte ticks) => File(
    [
        0xb3, ticks, // mov bl, ticks
        .. Out(0x70, 0x0b),
        .. Out(0x71, 0x42), // periodic interrupts, 24 hours
        0xb0, 0x0c, 0xe6, 0xa0, 0xe4, 0xa0, // wait: a poll, which acknowledges
        0x84, 0xc0, 0x79, 0xf6, // test al, al; jns wait
        0xb0, 0x0c, 0xe6, 0x70, 0xe4, 0x71, // register C
        0x24, 0xc0, 0x3c, 0xc0, 0x75, 0x06, // and al, 0xc0; cmp al, 0xc0; jne end
        0xfe, 0xcb, 0x75, 0xe6, // dec bl; jnz wait
        0xb0, 0x01, 0xe6, 0xf4, // mov al, 1; end: out 0xf4, al
    ]);

    private static List<byte> Print(string text, params ushort[] ports)
    {
        List<byte> code = [];
        foreach (char letter in text)
        {
            foreach (ushort port in ports)
                code.AddRange(Out(port, (byte)letter));
        }

        return code;
    }

    /// <summary>mov dx, port; mov al, value; out dx, al</summary>
    private static byte[] Out(ushort port, byte value) =>
        [0x66, 0xba, (byte)port, (byte)(port >> 8), 0xb0, value, 0xee];

    private static byte[] File(byte[] code)
    {
        const uint entry = Address + 32;
        uint[] header =
            [Magic, HasAddresses, unchecked(0 - Magic - HasAddresses), Address, Address, 0, 0, entry];
        return [.. header.SelectMany(Dword), .. code];
    }

    private static byte[] Dword(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }
}
