using System.Buffers.Binary;
using MiniVmm.Devices;

namespace MiniVmm.Display;

/// <summary>
/// The mode registers of Bochs' graphics adapter (docs/specs/standard-vga.rst of QEMU; Bochs' VBE_DISPI interface), as they lie in
/// the memory BAR of its PCI function: 16 bits each from 0x500 on; an empty EDID before them. Only dots of 15, 16, 24 and 32 bits.
/// </summary>
/// <param name="framebuffer">What the guest draws to.</param>
/// <param name="memoryLength">Bytes of video memory.</param>
internal sealed class BochsDispi(LinearFramebuffer framebuffer, ulong memoryLength) : IBusDevice, ISuspendable
{
    /// <summary>Bytes of the memory BAR.</summary>
    public const int Length = 0x1000;

    /// <summary>The interface's newest version, with registers for the size of video memory and of 32-bit dots.</summary>
    private const ushort Version = 0xb0c5;

    private const ulong First = 0x500;
    private const ulong SizeOfExtension = 0x600; // how long it is, and the byte order
    private const uint LittleEndian = 0x1e1e1e1e;
    private const ushort MostWidth = 2560, MostHeight = 1600, MostBits = 32;

    private readonly ushort[] _registers = new ushort[Count];
    private readonly DeviceLock _lock = new();
    private ushort _index;

    /// <summary>The registers, by their index.</summary>
    private enum Register
    {
        Id,
        Width,
        Height,
        Bits,
        Enable,
        Bank,
        VirtualWidth,
        VirtualHeight,
        OffsetX,
        OffsetY,
        MemorySize,
    }

    [Flags]
    private enum Enable : ushort
    {
        On = 0x01,

        /// <summary>Width, height and bits read as the largest there are.</summary>
        Capabilities = 0x02,

        KeepMemory = 0x80,
    }

    private const int Count = (int)Register.MemorySize + 1;

    public string StateName => "bochs-dispi";

    public ushort StateVersion => 1;

    /// <summary>Sets a mode as firmware does, before the guest runs.</summary>
    public void SetMode(int width, int height)
    {
        this[Register.Width] = (ushort)width;
        this[Register.Height] = (ushort)height;
        this[Register.Bits] = MostBits;
        this[Register.VirtualWidth] = (ushort)width;
        this[Register.Enable] = (ushort)(Enable.On | Enable.KeepMemory);
        Show();
    }

    public void Read(ulong offset, Span<byte> data)
    {
        data.Clear();
        if (offset == SizeOfExtension && data.Length == sizeof(uint))
            BinaryPrimitives.WriteUInt32LittleEndian(data, 2 * sizeof(uint));
        else if (offset == SizeOfExtension + sizeof(uint) && data.Length == sizeof(uint))
            BinaryPrimitives.WriteUInt32LittleEndian(data, LittleEndian);
        else if (TryFind(offset, data.Length, out int index))
            BinaryPrimitives.WriteUInt16LittleEndian(data, ReadRegister(index));
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        if (TryFind(offset, data.Length, out int index))
            WriteRegister(index, BinaryPrimitives.ReadUInt16LittleEndian(data));
    }

    /// <summary>The index register of the ports.</summary>
    public ushort Index
    {
        get => Volatile.Read(ref _index);
        set => Volatile.Write(ref _index, value);
    }

    public ushort ReadRegister(int index)
    {
        if (index is < 0 or >= Count)
            return 0;
        using (_lock.Hold())
        {
            bool most = (Flags & Enable.Capabilities) != 0;
            return (Register)index switch
            {
                Register.Id when this[Register.Id] == 0 => Version,
                Register.Width when most => MostWidth,
                Register.Height when most => MostHeight,
                Register.Bits when most => MostBits,
                Register.VirtualHeight => VirtualHeight,
                Register.MemorySize => (ushort)(memoryLength >> 16),
                Register register => this[register],
            };
        }
    }

    public void WriteRegister(int index, ushort value)
    {
        if (index is < 0 or >= Count)
            return;
        bool clears = false;
        using (_lock.Hold())
        {
            Enable before = Flags;
            if ((Register)index == Register.Id && value is < 0xb0c0 or > Version)
                return;
            this[(Register)index] = value;
            if ((Register)index == Register.Enable && (Flags & ~before & Enable.On) != 0)
            {
                this[Register.VirtualWidth] = this[Register.Width];
                (this[Register.OffsetX], this[Register.OffsetY]) = (0, 0);
                clears = (Flags & Enable.KeepMemory) == 0;
            }

            Show();
        }

        if (clears)
            framebuffer.Clear();
    }

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteUInt16(_index);
        foreach (ushort register in _registers)
            writer.WriteUInt16(register);
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        _index = reader.ReadUInt16();
        for (int i = 0; i < _registers.Length; i++)
            _registers[i] = reader.ReadUInt16();
        reader.Check(this[Register.Id] is 0 or (>= 0xb0c0 and <= Version), $"version 0x{this[Register.Id]:x4}");
        Show();
    }

    private Enable Flags => (Enable)this[Register.Enable];

    private ref ushort this[Register register] => ref _registers[(int)register];

    private int BytesPerPixel => (this[Register.Bits] + 7) / 8;

    private int Pitch => Math.Max(this[Register.VirtualWidth], this[Register.Width]) * BytesPerPixel;

    /// <summary>Lines that there is memory for.</summary>
    private ushort VirtualHeight => Pitch == 0 ? (ushort)0 : (ushort)Math.Min(ushort.MaxValue, memoryLength / (ulong)Pitch);

    private static bool TryFind(ulong offset, int length, out int index)
    {
        index = (int)(offset - First) / sizeof(ushort);
        return length == sizeof(ushort) && offset >= First && offset % sizeof(ushort) == 0 && index < Count;
    }

    /// <summary>Has the framebuffer shown as the registers say; one that is not all in memory is not.</summary>
    private void Show()
    {
        bool on = (Flags & Enable.On) != 0 && this[Register.Bits] is 15 or 16 or 24 or 32;
        long offset = ((long)this[Register.OffsetY] * Pitch) + (this[Register.OffsetX] * BytesPerPixel);
        framebuffer.Mode = on && offset <= int.MaxValue
            ? new FrameMode(this[Register.Width], this[Register.Height], Pitch, (int)offset, this[Register.Bits])
            : null;
    }
}
