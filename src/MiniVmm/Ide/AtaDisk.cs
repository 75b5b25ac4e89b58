using MiniVmm.Host;
using MiniVmm.Storage;

namespace MiniVmm.Ide;

/// <summary>A hard disk (ATA/ATAPI-6): PIO and DMA, 28 and 48 bits of address, and cylinders for who still counts them.</summary>
/// <param name="image">Its contents.</param>
/// <param name="serial">Serial number, up to 20 characters.</param>
internal sealed class AtaDisk(IDiskImage image, string serial) : IdeDrive(image, SectorSize)
{
    private const int SectorSize = 512;
    private const int MostMultiple = 16;
    private const ulong MostLba28 = 0x0fff_ffff;
    private int _multiple; // sectors of a block, with READ MULTIPLE; 0 before it is set
    private bool _isMultiple; // whether the command is such a one
    private bool _is48Bit;

    /// <summary>Commands (ATA/ATAPI-6, 8), as far as there are any others than refusals.</summary>
    private enum Command : byte
    {
        ReadSectors = 0x20,
        ReadSectorsOnce = 0x21,
        ReadSectorsExt = 0x24,
        ReadDmaExt = 0x25,
        ReadNativeMaxExt = 0x27,
        ReadMultipleExt = 0x29,
        WriteSectors = 0x30,
        WriteSectorsOnce = 0x31,
        WriteSectorsExt = 0x34,
        WriteDmaExt = 0x35,
        WriteMultipleExt = 0x39,
        Verify = 0x40,
        VerifyOnce = 0x41,
        VerifyExt = 0x42,
        Diagnose = 0x90,
        SetGeometry = 0x91,
        ReadMultiple = 0xc4,
        WriteMultiple = 0xc5,
        SetMultiple = 0xc6,
        ReadDma = 0xc8,
        ReadDmaOnce = 0xc9,
        WriteDma = 0xca,
        WriteDmaOnce = 0xcb,
        StandbyNow = 0xe0,
        IdleNow = 0xe1,
        Standby = 0xe2,
        IdleAfter = 0xe3,
        CheckPower = 0xe5,
        Sleep = 0xe6,
        Flush = 0xe7,
        FlushExt = 0xea,
        Identify = 0xec,
        SetFeatures = 0xef,
        ReadNativeMax = 0xf8,
    }

    /// <summary>Heads and sectors of a track as the guest counts them.</summary>
    internal DiskGeometry Geometry { get; private set; } = DiskGeometry.Of(image.Length / SectorSize);

    /// <summary>Transfer mode of SET FEATURES: 0x20 and up for multi-word DMA, 0x40 and up for Ultra DMA.</summary>
    internal byte TransferMode { get; private set; } = 0x45;

    internal int Multiple => _multiple;

    protected override int BlockSize => _isMultiple ? _multiple * SectorSize : SectorSize;

    protected override ushort Signature => 0;

    protected override AtaStatus AtReset => AtaStatus.Ready | AtaStatus.SeekComplete;

    protected override void Execute(byte command)
    {
        _isMultiple = _is48Bit = false;
        switch ((Command)command)
        {
            case Command.ReadSectors or Command.ReadSectorsOnce:
                Read(isDma: false);
                break;
            case Command.ReadDma or Command.ReadDmaOnce:
                Read(isDma: true);
                break;
            case Command.ReadSectorsExt or Command.ReadDmaExt:
                _is48Bit = true;
                Read(isDma: (Command)command == Command.ReadDmaExt);
                break;
            case Command.ReadMultiple or Command.ReadMultipleExt when _multiple > 0:
                (_isMultiple, _is48Bit) = (true, (Command)command == Command.ReadMultipleExt);
                Read(isDma: false);
                break;
            case Command.WriteSectors or Command.WriteSectorsOnce:
                Write(isDma: false);
                break;
            case Command.WriteDma or Command.WriteDmaOnce:
                Write(isDma: true);
                break;
            case Command.WriteSectorsExt or Command.WriteDmaExt:
                _is48Bit = true;
                Write(isDma: (Command)command == Command.WriteDmaExt);
                break;
            case Command.WriteMultiple or Command.WriteMultipleExt when _multiple > 0:
                (_isMultiple, _is48Bit) = (true, (Command)command == Command.WriteMultipleExt);
                Write(isDma: false);
                break;
            case Command.Verify or Command.VerifyOnce or Command.VerifyExt:
                _is48Bit = (Command)command == Command.VerifyExt;
                if (TryFindSectors(out _, out _))
                    Done();
                break;
            case Command.Identify:
                AtaIdentity.OfDisk(Buffer, this, serial);
                Answer(SectorSize, isDma: false);
                break;
            case Command.Flush or Command.FlushExt:
                HandOver(DriveWork.Flush);
                break;
            case Command.SetMultiple:
                SetMultiple(Registers[TaskFile.Count]);
                break;
            case Command.SetGeometry:
                SetGeometry();
                break;
            case Command.SetFeatures:
                SetFeatures();
                break;
            case Command.ReadNativeMax:
                Registers.SetLba(Math.Min(Capacity - 1, MostLba28), is48Bit: false);
                Done();
                break;
            case Command.ReadNativeMaxExt:
                Registers.SetLba(Capacity - 1, is48Bit: true);
                Done();
                break;
            case Command.CheckPower:
                Registers[TaskFile.Count] = 0xff; // active
                Done();
                break;
            case Command.Diagnose:
                Registers.SetSignature(Signature);
                Done();
                Error = AtaError.Passed;
                break;
            case Command.StandbyNow or Command.IdleNow or Command.Standby or Command.IdleAfter or Command.Sleep:
            case >= (Command)0x10 and <= (Command)0x1f: // recalibrate
            case >= (Command)0x70 and <= (Command)0x7f: // seek
                Done();
                break;
            default:
                Abort();
                break;
        }
    }

    public override void Reset()
    {
        base.Reset();
        _multiple = 0;
        Geometry = DiskGeometry.Of(Capacity);
    }

    protected override void Complete()
    {
        // Drivers that count by these registers find the last sector's address, and no sectors left.
        if (NextSector > 0 && (Registers.IsLba || _is48Bit))
            Registers.SetLba(NextSector - 1, _is48Bit);
        Registers[TaskFile.Count] = 0;
        Done();
    }

    protected override void Failed(DriveWork work, int result)
    {
        bool isRefused = result is -1 or Errno.EPERM || work is DriveWork.Flush or DriveWork.Write or DriveWork.DmaOut;
        Abort(isRefused ? AtaError.Aborted : AtaError.Uncorrectable);
    }

    private void Done() => Finish(AtaStatus.Ready | AtaStatus.SeekComplete);

    private void Read(bool isDma)
    {
        if (TryFindSectors(out ulong first, out uint count))
            ReadSectors(first, count, isDma);
    }

    private void Write(bool isDma)
    {
        if (IsReadOnly)
            Abort();
        else if (TryFindSectors(out ulong first, out uint count))
            WriteSectors(first, count, isDma);
    }

    /// <summary>The one place where a guest's sector numbers are checked; refuses those that are none.</summary>
    private bool TryFindSectors(out ulong first, out uint count)
    {
        count = Registers.Sectors(_is48Bit);
        first = _is48Bit ? Registers.Lba48
            : Registers.IsLba ? Registers.Lba28
            : Geometry.Sector(Registers.Cylinder, Registers.Head, Registers[TaskFile.Low]) ?? ulong.MaxValue;
        if (first < Capacity && count <= Capacity - first)
            return true;
        Abort(AtaError.NotFound);
        return false;
    }

    private void SetMultiple(int sectors)
    {
        if (sectors > MostMultiple || (sectors & (sectors - 1)) != 0)
        {
            Abort();
            return;
        }

        _multiple = sectors;
        Done();
    }

    private void SetGeometry()
    {
        if (Registers[TaskFile.Count] == 0)
        {
            Abort();
            return;
        }

        Geometry = new DiskGeometry(Geometry.Cylinders, Registers.Head + 1, Registers[TaskFile.Count]);
        Done();
    }

    private void SetFeatures()
    {
        switch (Registers[TaskFile.Feature])
        {
            case 0x03 when Registers[TaskFile.Count] is < 0x10 or (>= 0x20 and <= 0x22) or (>= 0x40 and <= 0x45):
                if (Registers[TaskFile.Count] >= 0x20)
                    TransferMode = Registers[TaskFile.Count];
                Done();
                break;
            case 0x02 or 0x82 or 0x55 or 0xaa or 0x66 or 0xcc: // write cache, look-ahead, defaults: on and off
                Done();
                break;
            default:
                Abort();
                break;
        }
    }
}
