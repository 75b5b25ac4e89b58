using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Storage;

namespace MiniVmm.Ide;

/// <summary>
/// A drive on an IDE channel: its registers, a buffer for blocks at the data port, and what is left of its command. All calls
/// but <see cref="Transfer"/> and <see cref="DmaStep"/> come under the channel's lock.
/// </summary>
/// <param name="image">Its contents; disposed of with it.</param>
/// <param name="sectorSize">Bytes of a sector.</param>
internal abstract unsafe class IdeDrive(IDiskImage image, uint sectorSize) : IDisposable
{
    /// <summary>Bytes of the buffer: what is read or written at a time.</summary>
    public const int BufferSize = 64 * 1024;

    private readonly byte* _buffer = (byte*)NativeMemory.AlignedAlloc(BufferSize, 4096);
    private int _blockEnd;

    public TaskFile Registers { get; } = new();

    public AtaStatus Status { get; protected set; }

    public AtaError Error { get; protected set; }

    public DrivePhase Phase { get; private set; }

    /// <summary>What the channel's thread is to do, in the phases that wait for it or for the bus master.</summary>
    public DriveWork Work { get; private set; }

    /// <summary>Whether it wants INTRQ to be raised; whoever raises it takes this back.</summary>
    public bool WantsInterrupt { get; set; }

    /// <summary>Sectors of the image.</summary>
    public ulong Capacity => image.Length / sectorSize;

    protected bool IsReadOnly => image.IsReadOnly;

    /// <summary>The buffer, for answers of the drive's own.</summary>
    protected Span<byte> Buffer => new(_buffer, BufferSize);

    /// <summary>Next byte of the buffer for the data port.</summary>
    protected int Position { get; private set; }

    /// <summary>Bytes in the buffer, or that it is to take.</summary>
    protected int Filled { get; private set; }

    /// <summary>Next sector of the image, and how many are left behind what is in the buffer.</summary>
    protected ulong NextSector { get; private set; }

    protected uint SectorsLeft { get; private set; }

    /// <summary>Bytes of a block at the data port: between two interrupts.</summary>
    protected abstract int BlockSize { get; }

    /// <summary>What it shows where drivers look for its kind.</summary>
    protected abstract ushort Signature { get; }

    /// <summary>Status after a reset.</summary>
    protected abstract AtaStatus AtReset { get; }

    /// <summary>Back to what it was at power-on.</summary>
    public virtual void Reset()
    {
        Registers.SetSignature(Signature);
        (Phase, Work, Position, Filled, SectorsLeft) = (DrivePhase.Idle, DriveWork.None, 0, 0, 0);
        Status = AtReset;
        Error = AtaError.Passed;
        WantsInterrupt = false;
    }

    /// <summary>Begins a command; the drive is neither busy nor does it wait for data.</summary>
    public void Begin(byte command)
    {
        Error = AtaError.None;
        Status = AtaStatus.Ready | AtaStatus.SeekComplete;
        Position = Filled = 0;
        (NextSector, SectorsLeft) = (0, 0);
        Execute(command);
    }

    /// <summary>The guest reads the data port; what is beyond the block is 0.</summary>
    public void ReadData(Span<byte> data)
    {
        data.Clear();
        if (Phase != DrivePhase.DataIn)
            return;
        int count = Math.Min(data.Length, _blockEnd - Position);
        new ReadOnlySpan<byte>(_buffer + Position, count).CopyTo(data);
        Position += count;
        if (Position == _blockEnd)
            BlockDone();
    }

    /// <summary>The guest writes the data port; what is beyond the block goes nowhere.</summary>
    public void WriteData(ReadOnlySpan<byte> data)
    {
        if (Phase is not (DrivePhase.DataOut or DrivePhase.Packet))
            return;
        int count = Math.Min(data.Length, _blockEnd - Position);
        data[..count].CopyTo(new Span<byte>(_buffer + Position, count));
        Position += count;
        if (Position == _blockEnd)
            BlockDone();
    }

    /// <summary>The bus master was started: what waits for it is the thread's now.</summary>
    /// <returns>Whether there was something.</returns>
    public bool StartDma()
    {
        if (Phase != DrivePhase.Dma)
            return false;
        Phase = DrivePhase.Work;
        return true;
    }

    /// <summary>Does <see cref="DriveWork.Read"/>, <see cref="DriveWork.Write"/> or <see cref="DriveWork.Flush"/>: on the channel's thread, without its lock.</summary>
    /// <returns>0 or an errno.</returns>
    public int Transfer(DriveWork work)
    {
        if (work == DriveWork.Flush)
            return image.Flush();
        IoVector piece = new(_buffer, (ulong)Filled);
        ReadOnlySpan<IoVector> pieces = new(in piece);
        ulong at = (NextSector * sectorSize) - (ulong)Filled;
        return work == DriveWork.Read ? image.Read(at, pieces) : image.Write(at, pieces);
    }

    /// <summary>
    /// One buffer's worth of <see cref="DriveWork.DmaIn"/> or <see cref="DriveWork.DmaOut"/>, likewise. What comes from the
    /// guest is in the buffer before the image sees it, and what comes from the image is whole before the guest does.
    /// </summary>
    /// <param name="work">Which.</param>
    /// <param name="memory">Where the guest wants it.</param>
    /// <param name="isDone">Whether nothing is left.</param>
    /// <returns>0; an errno of the image; -1 where the guest's table does not lead to enough RAM.</returns>
    public int DmaStep(DriveWork work, BusMasterTransfer memory, out bool isDone)
    {
        isDone = false;
        bool isFromImage = Filled == 0;
        if (isFromImage)
            Claim();
        int result = 0;
        if (work == DriveWork.DmaIn)
        {
            if (isFromImage)
                result = Transfer(DriveWork.Read);
            if (result == 0 && !memory.Write(new(_buffer, Filled)))
                result = -1;
        }
        else
        {
            result = memory.Read(new(_buffer, Filled)) ? Transfer(DriveWork.Write) : -1;
        }

        Filled = 0;
        isDone = SectorsLeft == 0;
        return result;
    }

    /// <summary>The channel's thread has done its work.</summary>
    /// <param name="result">0, an errno, or -1 as of <see cref="DmaStep"/>.</param>
    public void Worked(int result)
    {
        DriveWork work = Work;
        Work = DriveWork.None;
        Phase = DrivePhase.Idle;
        if (result != 0)
        {
            Failed(work, result);
            return;
        }

        switch (work)
        {
            case DriveWork.Read:
                ShowBlock();
                break;
            case DriveWork.Write when SectorsLeft > 0:
                WantBlock();
                WantsInterrupt = true;
                break;
            default:
                Complete();
                break;
        }
    }

    public void Dispose()
    {
        image.Dispose();
        NativeMemory.AlignedFree(_buffer);
    }

    protected abstract void Execute(byte command);

    /// <summary>The guest has written a packet, which is at the buffer's start.</summary>
    protected virtual void PacketArrived() => Abort();

    /// <summary>The command is done.</summary>
    protected abstract void Complete();

    /// <summary>The thread could not do it.</summary>
    protected abstract void Failed(DriveWork work, int result);

    /// <summary>A block is about to wait at the data port.</summary>
    /// <param name="length">Its bytes.</param>
    protected virtual void Announce(int length)
    {
    }

    /// <summary>Refuses the command.</summary>
    protected void Abort(AtaError error = AtaError.Aborted)
    {
        Error = error;
        Status = AtaStatus.Ready | AtaStatus.SeekComplete | AtaStatus.Error;
        Phase = DrivePhase.Idle;
        Work = DriveWork.None;
        WantsInterrupt = true;
    }

    /// <summary>Ends a command for the guest to see.</summary>
    protected void Finish(AtaStatus status)
    {
        Status = status;
        Phase = DrivePhase.Idle;
        WantsInterrupt = true;
    }

    /// <summary>Has the guest read sectors at the data port, or by the bus master.</summary>
    /// <param name="first">First sector.</param>
    /// <param name="count">How many; all there.</param>
    /// <param name="isDma">Whether by the bus master.</param>
    protected void ReadSectors(ulong first, uint count, bool isDma)
    {
        (NextSector, SectorsLeft) = (first, count);
        if (isDma)
        {
            WaitForDma(DriveWork.DmaIn);
            return;
        }

        Claim();
        HandOver(DriveWork.Read);
    }

    /// <summary>Has the guest write sectors, likewise.</summary>
    protected void WriteSectors(ulong first, uint count, bool isDma)
    {
        (NextSector, SectorsLeft) = (first, count);
        if (isDma)
            WaitForDma(DriveWork.DmaOut);
        else
            WantBlock();
    }

    /// <summary>Has the guest read the first bytes of the buffer.</summary>
    protected void Answer(int length, bool isDma)
    {
        Filled = length;
        if (isDma)
            WaitForDma(DriveWork.DmaIn);
        else
            ShowBlock();
    }

    /// <summary>Has the guest write a packet.</summary>
    protected void WantPacket(int length)
    {
        (Position, Filled, _blockEnd) = (0, length, length);
        Phase = DrivePhase.Packet;
        Status = AtaStatus.Ready | AtaStatus.SeekComplete | AtaStatus.DataRequest;
    }

    /// <summary>Leaves something to the channel's thread.</summary>
    protected void HandOver(DriveWork work)
    {
        Work = work;
        Phase = DrivePhase.Work;
        Status = AtaStatus.Busy;
    }

    private void WaitForDma(DriveWork work)
    {
        Work = work;
        Phase = DrivePhase.Dma;
        Status = AtaStatus.Busy;
    }

    /// <summary>Makes the buffer stand for the next sectors.</summary>
    private void Claim()
    {
        uint count = Math.Min(SectorsLeft, BufferSize / sectorSize);
        Filled = (int)(count * sectorSize);
        Position = 0;
        NextSector += count;
        SectorsLeft -= count;
    }

    /// <summary>What is in the buffer waits at the data port, block by block.</summary>
    private void ShowBlock()
    {
        _blockEnd = Math.Min(Filled, Position + BlockSize);
        Announce(_blockEnd - Position);
        Phase = DrivePhase.DataIn;
        Status = AtaStatus.Ready | AtaStatus.SeekComplete | AtaStatus.DataRequest;
        WantsInterrupt = true;
    }

    private void WantBlock()
    {
        if (Position == Filled)
            Claim();
        _blockEnd = Math.Min(Filled, Position + BlockSize);
        Phase = DrivePhase.DataOut;
        Status = AtaStatus.Ready | AtaStatus.SeekComplete | AtaStatus.DataRequest;
    }

    private void BlockDone()
    {
        switch (Phase)
        {
            case DrivePhase.Packet:
                Position = Filled = 0;
                Phase = DrivePhase.Idle;
                PacketArrived();
                break;
            case DrivePhase.DataIn when Position < Filled:
                ShowBlock();
                break;
            case DrivePhase.DataIn when SectorsLeft > 0:
                Claim();
                HandOver(DriveWork.Read);
                break;
            case DrivePhase.DataIn:
                DataTaken();
                break;
            case DrivePhase.DataOut when Position < Filled:
                WantBlock();
                WantsInterrupt = true;
                break;
            case DrivePhase.DataOut:
                HandOver(DriveWork.Write);
                break;
        }
    }

    /// <summary>The guest has read the last block.</summary>
    protected virtual void DataTaken()
    {
        Phase = DrivePhase.Idle;
        Status = AtaStatus.Ready | AtaStatus.SeekComplete;
    }
}
