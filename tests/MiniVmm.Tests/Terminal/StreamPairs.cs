using MiniVmm.Host;
using MiniVmm.Terminal;
using Tmds.Linux;

namespace MiniVmm.Tests.Terminal;

/// <summary>What tests do with a console's two sockets.</summary>
internal static unsafe class StreamPairs
{
    /// <summary>Writes all of it.</summary>
    public static void Write(this StreamPair pair, ReadOnlySpan<byte> text)
    {
        fixed (byte* bytes = text)
            Assert.Equal(text.Length, LibC.write(pair.Fd, bytes, text.Length));
    }

    /// <summary>All that comes at the console's end until the other one is closed.</summary>
    public static byte[] ReadToEnd(this StreamPair pair)
    {
        List<byte> all = [];
        byte[] some = new byte[4096];
        fixed (byte* bytes = some)
        {
            for (long got; (got = LibC.read(pair.Fd, bytes, some.Length)) > 0;)
                all.AddRange(some.AsSpan(0, (int)got));
        }

        return [.. all];
    }

    /// <summary>Makes a socket non-blocking, and writes until it takes not a byte more.</summary>
    /// <returns>How many bytes it took.</returns>
    public static int Fill(int fd)
    {
        Assert.Equal(0, LibC.fcntl(fd, LibC.F_SETFL, FileCalls.O_NONBLOCK));
        int filled = 0;
        byte zero = 0;
        byte* some = stackalloc byte[4096];
        for (long put; (put = LibC.write(fd, some, 4096)) > 0;)
            filled += (int)put;
        while (LibC.write(fd, &zero, 1) > 0)
            filled++;
        return filled;
    }
}
