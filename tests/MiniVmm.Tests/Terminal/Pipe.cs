using Tmds.Linux;

namespace MiniVmm.Tests.Terminal;

/// <summary>A pipe(2) by its descriptors, either of which a test may close before the end.</summary>
internal sealed unsafe class Pipe : IDisposable
{
    public const int Capacity = 65536;

    public Pipe(int flags = 0)
    {
        int* ends = stackalloc int[2];
        Assert.Equal(0, LibC.pipe2(ends, LibC.O_CLOEXEC | flags));
        (Reader, Writer) = (ends[0], ends[1]);
    }

    public int Reader { get; private set; }

    public int Writer { get; private set; }

    /// <summary>Reads until the other end is closed, or so many bytes.</summary>
    public byte[] Read(int atMost = int.MaxValue)
    {
        List<byte> all = [];
        byte* buffer = stackalloc byte[4096];
        while (all.Count < atMost)
        {
            long got = LibC.read(Reader, buffer, Math.Min(4096, atMost - all.Count));
            if (got < 0 && LibC.errno == LibC.EAGAIN)
            {
                Thread.Yield();
                continue;
            }

            if (got <= 0)
                break;
            all.AddRange(new ReadOnlySpan<byte>(buffer, (int)got));
        }

        return [.. all];
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* data = bytes)
            Assert.Equal(bytes.Length, (long)LibC.write(Writer, data, bytes.Length));
    }

    /// <summary>Says that somebody else closes the writing end.</summary>
    public int GiveWriter()
    {
        int writer = Writer;
        Writer = -1;
        return writer;
    }

    public void CloseReader()
    {
        if (Reader >= 0)
            _ = LibC.close(Reader);
        Reader = -1;
    }

    public void CloseWriter()
    {
        if (Writer >= 0)
            _ = LibC.close(Writer);
        Writer = -1;
    }

    public void Dispose()
    {
        CloseReader();
        CloseWriter();
    }
}
