using MiniVmm.Host;
using MiniVmm.Storage;
using MiniVmm.Tests.Cli;
using MiniVmm.Virtio.Block;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>64 KiB that tells of who asks for what is not there; the guest goes on while it is at work.</summary>
internal sealed unsafe class FuzzDisk : IDiskImage
{
    private readonly FuzzHost _host;
    private readonly byte[] _bytes = new byte[64 << 10];

    private FuzzDisk(FuzzHost host)
    {
        _host = host;
        IsReadOnly = host.Input.Chance(48);
        DiscardGranularity = host.Input.Pick(512u, 512u, 4096u, 0u);
    }

    public ulong Length => (ulong)_bytes.Length;

    public bool IsReadOnly { get; }

    public uint DiscardGranularity { get; }

    /// <summary>Without workers, so that a seed does the same each time: those have tests of their own.</summary>
    public static Func<VirtioBlock> Plug(FuzzHost host)
    {
        FuzzDisk disk = new(host);
        long now = 0;
        DiskOptions options = new()
        {
            File = "fuzz",
            Serial = "0123456789",
            ReadOnly = disk.IsReadOnly,
            Cache = host.Input.Pick(DiskCache.WriteBack, DiskCache.None),
            Iops = host.Input.Pick(0ul, 0ul, 0ul, 20ul),
        };
        host.MayKeep = _ => false;
        return () => new VirtioBlock(
            disk, options, 2, line => host.Fail(line.OnCommandLine()), () => now += 10_000_000, workers: 0);
    }

    public int Read(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        foreach (IoVector piece in pieces)
        {
            At(offset, piece.Length).CopyTo(piece.Span);
            offset += piece.Length;
        }

        _host.Meanwhile();
        return 0;
    }

    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        MustBeWritable();
        foreach (IoVector piece in pieces)
        {
            piece.Span.CopyTo(At(offset, piece.Length));
            offset += piece.Length;
        }

        _host.Meanwhile();
        return 0;
    }

    public int Flush()
    {
        _host.Meanwhile();
        return 0;
    }

    public int Discard(ulong offset, ulong length)
    {
        if (DiscardGranularity == 0)
            _host.Fail("the device discards on a disk that cannot");
        return WriteZeroes(offset, length, true);
    }

    public int WriteZeroes(ulong offset, ulong length, bool unmap)
    {
        MustBeWritable();
        At(offset, length).Clear();
        _host.Meanwhile();
        return 0;
    }

    public void Dispose()
    {
        // Nothing of the host's.
    }

    private void MustBeWritable()
    {
        if (IsReadOnly)
            _host.Fail("the device writes to a disk that it may only read");
    }

    private Span<byte> At(ulong offset, ulong length)
    {
        if (offset <= Length && length <= Length - offset)
            return _bytes.AsSpan((int)offset, (int)length);
        throw new FuzzException($"{length} bytes at {offset} of a disk of {Length}");
    }
}
