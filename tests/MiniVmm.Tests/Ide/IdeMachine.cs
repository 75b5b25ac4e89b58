using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Ide;
using MiniVmm.Tests.Devices;
using MiniVmm.Tests.Storage;
using MiniVmm.Tests.Virtio;

namespace MiniVmm.Tests.Ide;

/// <summary>A channel with a disk and a CD, and a driver of it. The channel's thread is at once, unless it is held up.</summary>
internal sealed class IdeMachine : IDisposable
{
    public const byte Busy = 0x80, Ready = 0x50, Request = 0x58, Failed = 0x51;
    private readonly IBusDevice _command;
    private readonly IBusDevice _control;
    private int _rings;

    public IdeMachine(int sectors = 1000, bool isReadOnly = false)
    {
        Disk = new MemoryImage(sectors * 512) { IsReadOnly = isReadOnly };
        new Random(1).NextBytes(Disk.Bytes);
        Cd = new MemoryImage(100 * 2048) { IsReadOnly = true };
        new Random(2).NextBytes(Cd.Bytes);
        First = new AtaDisk(Disk, "S1");
        Second = new AtapiCd(Cd, "S2");
        Channel = new IdeChannel(First, Second, Line, Memory.Memory, Ring);
        _command = Channel.CommandPorts;
        _control = Channel.ControlPort;
    }

    public TestMemory Memory { get; } = new((0, 1 << 20), (1 << 30, 8192));

    public MemoryImage Disk { get; }

    public MemoryImage Cd { get; }

    public AtaDisk First { get; }

    public AtapiCd Second { get; }

    public IdeChannel Channel { get; }

    public RecordingLevel Line { get; } = new();

    /// <summary>Whether what the thread is asked for waits for <see cref="Serve"/>.</summary>
    public bool IsHeld { get; set; }

    public byte Status => In(7);

    public byte AlternateStatus => _control.In(0);

    public byte Error => In(1);

    public byte In(int register) => _command.In((ulong)register);

    public void Out(int register, int value) => _command.Out((ulong)register, (byte)value);

    public void Control(byte value) => _control.Out(0, value);

    public ushort Word() => (ushort)_command.In(0, 2);

    public void Word(ushort value) => _command.Out(0, value, 2);

    public void Serve()
    {
        while (_rings > 0)
        {
            _rings = 0;
            Channel.Serve();
        }
    }

    /// <summary>An access of chance, as a hostile driver makes it.</summary>
    public void Access(Random random, bool writes)
    {
        IBusDevice device = random.Next(6) == 0 ? _control : _command;
        byte[] data = new byte[device == _control ? 1 : 1 << random.Next(3)];
        random.NextBytes(data);
        ulong offset = (ulong)random.Next((device == _control ? 1 : IdeChannel.CommandLength) - data.Length + 1); // as a bus has it
        if (writes)
            device.Write(offset, data);
        else
            device.Read(offset, data);
    }

    /// <summary>Writes a command with its registers: 28 bits of address, LBA.</summary>
    public byte Command(byte command, ulong lba = 0, int count = 1, int drive = 0, int feature = 0)
    {
        Out(6, 0xe0 | (drive << 4) | (int)((lba >> 24) & 15));
        Out(1, feature);
        Out(2, count);
        Out(3, (byte)lba);
        Out(4, (byte)(lba >> 8));
        Out(5, (byte)(lba >> 16));
        Out(7, command);
        return AlternateStatus;
    }

    /// <summary>The same with 48 bits.</summary>
    public byte CommandExt(byte command, ulong lba, int count)
    {
        Out(6, 0xe0);
        foreach ((int register, int high, int low) in ((int, int, int)[])
            [(2, count >> 8, count), (3, (int)(lba >> 24), (int)lba), (4, (int)(lba >> 32), (int)(lba >> 8)), (5, (int)(lba >> 40), (int)(lba >> 16))])
        {
            Out(register, (byte)high);
            Out(register, (byte)low);
        }

        Out(7, command);
        return AlternateStatus;
    }

    /// <summary>Reads words for as long as there are any, a block at each interrupt.</summary>
    public byte[] ReadBlocks(out int blocks)
    {
        List<byte> data = [];
        blocks = 0;
        while ((Status & 8) != 0)
        {
            blocks++;
            Assert.False(Line.Asserted); // the status was read
            int before = data.Count;
            int calls = Line.Calls.Count;
            while (Line.Calls.Count == calls && (AlternateStatus & 8) != 0)
            {
                ushort word = Word();
                data.Add((byte)word);
                data.Add((byte)(word >> 8));
            }

            Assert.NotEqual(before, data.Count);
        }

        return [.. data];
    }

    public void WriteWords(ReadOnlySpan<byte> data)
    {
        for (int i = 0; i < data.Length; i += 2)
            Word(BinaryPrimitives.ReadUInt16LittleEndian(data[i..]));
    }

    /// <summary>Sends a packet to the CD.</summary>
    public byte Packet(byte[] packet, int limit = 0xfffe, bool isDma = false)
    {
        Assert.Equal(Request, Command(0xa0, lba: (ulong)limit << 8, drive: 1, feature: isDma ? 1 : 0));
        Assert.Equal(1, In(2));
        byte[] twelve = new byte[12];
        packet.CopyTo(twelve, 0);
        WriteWords(twelve);
        return AlternateStatus;
    }

    /// <summary>Gives the bus master a table of (address, bytes) and starts it.</summary>
    public void StartDma(bool toMemory, params (ulong Address, int Bytes)[] pieces)
    {
        byte[] table = new byte[pieces.Length * 8];
        for (int i = 0; i < pieces.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(i * 8), (uint)pieces[i].Address);
            uint last = i == pieces.Length - 1 ? 1u << 31 : 0;
            BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan((i * 8) + 4), (uint)(pieces[i].Bytes & 0xffff) | last);
        }

        SetTable((uint)Memory.Place(table));
        Channel.WriteBusMaster(0, (byte)(toMemory ? 9 : 1));
    }

    public void SetTable(uint address)
    {
        for (int i = 0; i < 4; i++)
            Channel.WriteBusMaster(4 + i, (byte)(address >> (8 * i)));
    }

    public void Dispose()
    {
        First.Dispose();
        Second.Dispose();
        Memory.Dispose();
    }

    private void Ring()
    {
        _rings++;
        if (!IsHeld)
            Serve();
    }
}
