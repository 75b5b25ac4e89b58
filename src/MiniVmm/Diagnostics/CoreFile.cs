using System.Buffers.Binary;
using MiniVmm.Inspection;
using MiniVmm.Memory;

namespace MiniVmm.Diagnostics;

/// <summary>
/// An ELF core of a machine that died: RAM once, sparse, with a segment for each stretch that the page tables of the first vCPU map,
/// and one for each range of RAM; and the registers of each vCPU. That it can be written is known before the guest runs; without a
/// death it is taken away.
/// </summary>
internal sealed class CoreFile : IDisposable
{
    private const int HeaderBytes = 64;
    private const int SegmentBytes = 56;
    private const int MostRanges = 60_000; // e_phnum has 16 bits
    private const int Page = 4096;
    private const int Chunk = 64 << 10;

    private readonly string _path;
    private readonly OutputFile _file;
    private bool _isWritten;

    private CoreFile(string path, OutputFile file)
    {
        _path = path;
        _file = file;
    }

    /// <exception cref="BadInputException">It cannot be written.</exception>
    public static CoreFile Create(string path) => new(path, OutputFile.Create(path, OptionName.Core));

    /// <summary>Writes it.</summary>
    /// <param name="vcpus">The vCPUs by their indices.</param>
    /// <param name="memory">Guest RAM.</param>
    /// <exception cref="HostLimitException">It cannot be written after all: its disk is full.</exception>
    public void Write(IReadOnlyList<(int Index, GuestView View)> vcpus, GuestMemory memory)
    {
        ArgumentNullException.ThrowIfNull(vcpus);
        ArgumentNullException.ThrowIfNull(memory);
        try
        {
            byte[] notes = [.. vcpus.SelectMany(vcpu => CoreNotes.Of(vcpu.Index, vcpu.View))];
            List<MappedRange> mapped = vcpus.Count == 0 ? [] : MappedRanges.Of(vcpus[0].View.Paging, memory, MostRanges);
            List<MappedRange> ranges = [.. mapped, .. memory.Slots.Select(slot => new MappedRange(slot.Range.Start, slot.Range.Start, slot.Range.Length))];
            long notesAt = HeaderBytes + (ranges.Count + 1) * SegmentBytes;
            long ramAt = (notesAt + notes.Length + Page - 1) / Page * Page;
            _file.Write(Headers(ranges, memory, notesAt, notes.Length, ramAt));
            _file.Write(notes);
            foreach (RamSlot slot in memory.Slots)
            {
                Copy(slot, ramAt);
                ramAt += (long)slot.Range.Length;
            }

            _file.SetLength(ramAt);
            _file.Flush();
            _isWritten = true;
        }
        catch (IOException e)
        {
            throw new HostLimitException($"{OptionName.Core.With(_path)}: cannot be written: {e.Message}", e);
        }
    }

    public void Dispose()
    {
        _file.Dispose();
        if (_isWritten)
            return;
        try
        {
            File.Delete(_path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // An empty file stays, as where its folder may not be written.
        }
    }

    private static byte[] Headers(List<MappedRange> ranges, GuestMemory memory, long notesAt, int notes, long ramAt)
    {
        byte[] bytes = new byte[notesAt];
        "\u007fELF"u8.CopyTo(bytes);
        bytes[4] = 2; // 64 bits
        bytes[5] = 1; // little endian
        bytes[6] = 1;
        U16(16, 4); // ET_CORE
        U16(18, 62); // EM_X86_64
        U32(20, 1);
        U64(32, HeaderBytes);
        U16(52, HeaderBytes);
        U16(54, SegmentBytes);
        U16(56, (ushort)(ranges.Count + 1));
        Segment(HeaderBytes, 4, 0, notesAt, 0, 0, notes); // PT_NOTE
        for (int i = 0; i < ranges.Count; i++)
        {
            MappedRange range = ranges[i];
            Segment(
                HeaderBytes + (i + 1) * SegmentBytes, 1, 7, OffsetOf(memory, range.Physical, ramAt), range.Linear, range.Physical, (long)range.Length);
        }

        return bytes;

        void U16(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at), value);
        void U32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), value);
        void U64(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), value);

        void Segment(int at, uint type, uint flags, long offset, ulong linear, ulong physical, long length)
        {
            U32(at, type);
            U32(at + 4, flags);
            U64(at + 8, (ulong)offset);
            U64(at + 16, linear);
            U64(at + 24, physical);
            U64(at + 32, (ulong)length);
            U64(at + 40, (ulong)length);
        }
    }

    private static long OffsetOf(GuestMemory memory, ulong physical, long ramAt)
    {
        foreach (RamSlot slot in memory.Slots)
        {
            if (slot.Range.Contains(physical, 1))
                return ramAt + (long)(physical - slot.Range.Start);
            ramAt += (long)slot.Range.Length;
        }

        return ramAt;
    }

    /// <summary>Leaves holes where RAM is zero.</summary>
    private unsafe void Copy(RamSlot slot, long at)
    {
        for (ulong offset = 0; offset < slot.Range.Length; offset += Chunk)
        {
            int length = (int)Math.Min(Chunk, slot.Range.Length - offset);
            ReadOnlySpan<byte> chunk = new((byte*)slot.Host + offset, length);
            if (!chunk.ContainsAnyExcept((byte)0))
                continue;
            _file.Position = at + (long)offset;
            _file.Write(chunk);
        }
    }
}
