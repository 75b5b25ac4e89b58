using System.Buffers.Binary;
using MiniVmm.Host;
using MiniVmm.Storage;

namespace MiniVmm.Ide;

/// <summary>A CD-ROM drive (ATA/ATAPI-6, 9.6; MMC-3): commands come as packets of SCSI. The disc stays in.</summary>
/// <param name="image">The disc.</param>
/// <param name="serial">Serial number, up to 20 characters.</param>
internal sealed class AtapiCd(IDiskImage image, string serial) : IdeDrive(image, SectorSize)
{
    public const int SectorSize = 2048;

    private const int PacketSize = 12;
    private const ushort AtapiSignature = 0xeb14;

    // Interrupt reason, in the register of sector counts.
    private const byte IsCommand = 1, ToHost = 2;
    private int _blockLimit;
    private bool _isPacket; // rather than an ATA command
    private bool _isDma;
    private ScsiSense _sense;

    private enum Command : byte
    {
        DeviceReset = 0x08,
        ReadSectors = 0x20,
        Diagnose = 0x90,
        Packet = 0xa0,
        IdentifyPacket = 0xa1,
        StandbyNow = 0xe0,
        IdleNow = 0xe1,
        CheckPower = 0xe5,
        Sleep = 0xe6,
        Identify = 0xec,
        SetFeatures = 0xef,
    }

    internal byte TransferMode { get; private set; } = 0x45;

    protected override int BlockSize => _blockLimit;

    protected override ushort Signature => AtapiSignature;

    protected override AtaStatus AtReset => AtaStatus.None;

    public override void Reset()
    {
        base.Reset();
        _sense = default;
    }

    protected override void Execute(byte command)
    {
        switch ((Command)command)
        {
            case Command.Packet:
                _isDma = (Registers[TaskFile.Feature] & 1) != 0;
                _blockLimit = BlockLimit(Registers.Cylinder);
                Registers[TaskFile.Count] = IsCommand;
                WantPacket(PacketSize);
                break;
            case Command.IdentifyPacket:
                _blockLimit = 512;
                AtaIdentity.OfCd(Buffer, TransferMode, serial);
                (_isDma, _isPacket) = (false, false);
                Answer(512, isDma: false);
                break;
            case Command.Identify or Command.ReadSectors:
                Registers.SetSignature(AtapiSignature); // by which drivers learn that this is no disk
                Abort();
                break;
            case Command.DeviceReset:
                Reset();
                break;
            case Command.Diagnose:
                Registers.SetSignature(AtapiSignature);
                Finish(AtaStatus.None);
                Error = AtaError.Passed;
                break;
            case Command.SetFeatures when Registers[TaskFile.Feature] == 3:
                if (Registers[TaskFile.Count] >= 0x20)
                    TransferMode = (byte)(Registers[TaskFile.Count] & 0x47);
                Finish(AtaStatus.Ready | AtaStatus.SeekComplete);
                break;
            case Command.CheckPower or Command.StandbyNow or Command.IdleNow or Command.Sleep:
                if ((Command)command == Command.CheckPower)
                    Registers[TaskFile.Count] = 0xff;
                Finish(AtaStatus.Ready | AtaStatus.SeekComplete);
                break;
            default:
                Abort();
                break;
        }
    }

    protected override void PacketArrived()
    {
        _isPacket = true;
        ReadOnlySpan<byte> packet = Buffer[..PacketSize];
        Span<byte> copy = stackalloc byte[PacketSize];
        packet.CopyTo(copy); // the answer overwrites it
        Run(copy);
    }

    protected override void Announce(int length)
    {
        if (!_isPacket)
            return;
        Registers[TaskFile.Count] = ToHost;
        Registers.Cylinder = (ushort)length;
    }

    protected override void DataTaken()
    {
        if (_isPacket)
            Complete();
        else
            base.DataTaken();
    }

    protected override void Complete()
    {
        Registers[TaskFile.Count] = ToHost | IsCommand;
        Finish(AtaStatus.Ready | AtaStatus.SeekComplete);
    }

    protected override void Failed(DriveWork work, int result) =>
        Refuse(result is -1 or Errno.EPERM ? ScsiSense.Aborted : ScsiSense.Unreadable);

    /// <summary>Bytes of a block as the guest limits them; a limit that is odd or none is mended (ATA/ATAPI-6, 8.25).</summary>
    private static int BlockLimit(ushort wanted) => wanted switch
    {
        0 or 0xffff => 0xfffe,
        1 => 2,
        _ => wanted & ~1,
    };

    private void Run(ReadOnlySpan<byte> packet)
    {
        byte operation = packet[0];
        if (operation != ScsiCommand.RequestSense)
            _sense = default;
        switch (operation)
        {
            case ScsiCommand.TestUnitReady or ScsiCommand.StartStop or ScsiCommand.PreventRemoval or ScsiCommand.Seek
                or ScsiCommand.SetSpeed:
                Complete();
                break;
            case ScsiCommand.Read10:
                Read(BinaryPrimitives.ReadUInt32BigEndian(packet[2..]), BinaryPrimitives.ReadUInt16BigEndian(packet[7..]));
                break;
            case ScsiCommand.Read12:
                Read(BinaryPrimitives.ReadUInt32BigEndian(packet[2..]), BinaryPrimitives.ReadUInt32BigEndian(packet[6..]));
                break;
            case ScsiCommand.ReadCd when (packet[9] & 0xf8) is 0x10 or 0:
                uint count = BinaryPrimitives.ReadUInt32BigEndian(packet[5..]) & 0xff_ffff;
                Read(BinaryPrimitives.ReadUInt32BigEndian(packet[2..]), (packet[9] & 0xf8) == 0 ? 0 : count);
                break;
            default:
                int length = ScsiAnswer.Write(packet, Capacity, _sense, Buffer, out int limit);
                if (operation == ScsiCommand.RequestSense)
                    _sense = default;
                if (length < 0)
                    Refuse(length == ScsiAnswer.NoSuchCommand ? ScsiSense.NoSuchCommand : ScsiSense.NoSuchField);
                else if (Math.Min(length, limit) == 0)
                    Complete();
                else
                    Answer(Math.Min(length, limit), _isDma);
                break;
        }
    }

    /// <summary>The one place where a guest's sector numbers are checked.</summary>
    private void Read(uint first, uint count)
    {
        if (first > Capacity || count > Capacity - first)
            Refuse(ScsiSense.OutOfRange);
        else if (count == 0)
            Complete();
        else
            ReadSectors(first, count, _isDma);
    }

    /// <summary>Ends a packet with a check condition, whose reason REQUEST SENSE tells.</summary>
    private void Refuse(ScsiSense sense)
    {
        _sense = sense;
        Abort((AtaError)(sense.Key << 4));
        Registers[TaskFile.Count] = ToHost | IsCommand;
    }
}
