using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Memory;
using MiniVmm.Network;
using MiniVmm.Storage;
using MiniVmm.Tests.Virtio.Net;
using MiniVmm.Virtio;
using MiniVmm.Virtio.Balloon;
using MiniVmm.Virtio.Block;
using MiniVmm.Virtio.Console;
using MiniVmm.Virtio.Net;
using MiniVmm.Virtio.Rng;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>A device to fuzz.</summary>
/// <param name="Name">Of it, and the first part of the names of its files in the corpus.</param>
/// <param name="Make">Makes a new one over some RAM.</param>
/// <param name="Header">
/// Makes what a request begins with, mostly meaningful; null for one that begins with a buffer to write.
/// </param>
public sealed record FuzzTarget(string Name, Func<TestMemory, IVirtioDevice> Make, Func<FuzzInput, byte[]?> Header)
{
    /// <summary>Every device there is: one line each.</summary>
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("echo", _ => new EchoDevice(16, 8), input => new byte[1 + input.Below(64)]),
        new("rng", _ => new VirtioRng(), input => input.Chance(8) ? new byte[4] : null),

        // Without workers, so that a seed does the same each time; what is in flight has tests of its own.
        new(
            "blk",
            _ => new VirtioBlock(new Disk(), new DiskOptions { File = "fuzz" }, 2, _ => { }, () => 0, workers: 0),
            BlockHeader),
        new("net", _ => new VirtioNet(new SocketEndpoint(false, 2), new MacAddress(0x0242_0000_0001)), Frame),
        new("console", _ => new VirtioConsole(new Sink()), input => input.Chance(128) ? Bytes(input, 16) : null),
        new("balloon", ram => new VirtioBalloon(new BalloonOptions(), ram.Memory, new Pages(), _ => { }), PageNumbers),
    ];

    public static FuzzTarget Named(string name) => All.Single(target => target.Name == name);

    private static byte[]? BlockHeader(FuzzInput input)
    {
        uint type = input.Pick(0u, 0u, 0u, 1u, 1u, 1u, 4u, 8u, 11u, 13u, input.Byte());
        byte[] header = new byte[type is 11 or 13 ? 32 : 16];
        BinaryPrimitives.WriteUInt32LittleEndian(header, type);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), input.Chance(8) ? input.UInt64() : input.Byte());
        if (header.Length == 32)
        {
            Span<byte> segment = header.AsSpan(16);
            BinaryPrimitives.WriteUInt64LittleEndian(segment, input.Chance(8) ? input.UInt64() : input.Byte());
            BinaryPrimitives.WriteUInt32LittleEndian(segment[8..], input.Chance(8) ? input.UInt32() : input.Byte());
            BinaryPrimitives.WriteUInt32LittleEndian(segment[12..], (uint)input.Below(4));
        }

        return header;
    }

    /// <summary>For any of its queues: nothing, to receive; a header with the start of a frame; a command.</summary>
    private static byte[]? Frame(FuzzInput input) => input.Below(4) switch
    {
        0 => null,
        1 => [(byte)input.Below(6), (byte)input.Below(6), .. Bytes(input, 2)],
        2 => Bytes(input, 26),
        _ => new byte[12 + 14 + input.Below(64)],
    };

    private static byte[]? PageNumbers(FuzzInput input)
    {
        if (input.Chance(64))
            return null;
        byte[] numbers = new byte[4 * (1 + input.Below(8))];
        for (int i = 0; i < numbers.Length; i += 4)
            BinaryPrimitives.WriteUInt32LittleEndian(
                numbers.AsSpan(i), input.Chance(8) ? input.UInt32() : (uint)input.Below(12));
        return numbers;
    }

    private static byte[] Bytes(FuzzInput input, int count)
    {
        byte[] bytes = new byte[count];
        foreach (ref byte each in bytes.AsSpan())
            each = input.Byte();
        return bytes;
    }

    /// <summary>64 KiB that can do everything, and tells off who asks for what is not there.</summary>
    private sealed unsafe class Disk : IDiskImage
    {
        private readonly byte[] _bytes = new byte[64 << 10];

        public ulong Length => (ulong)_bytes.Length;

        public bool IsReadOnly => false;

        public uint DiscardGranularity => 512;

        public int Read(ulong offset, ReadOnlySpan<IoVector> pieces)
        {
            foreach (IoVector piece in pieces)
            {
                At(offset, piece.Length).CopyTo(piece.Span);
                offset += piece.Length;
            }

            return 0;
        }

        public int Write(ulong offset, ReadOnlySpan<IoVector> pieces)
        {
            foreach (IoVector piece in pieces)
            {
                piece.Span.CopyTo(At(offset, piece.Length));
                offset += piece.Length;
            }

            return 0;
        }

        public int Flush() => 0;

        public int Discard(ulong offset, ulong length) => WriteZeroes(offset, length, true);

        public int WriteZeroes(ulong offset, ulong length, bool unmap)
        {
            At(offset, length).Clear();
            return 0;
        }

        public void Dispose()
        {
            // Nothing of the host's.
        }

        private Span<byte> At(ulong offset, ulong length) => _bytes.AsSpan(checked((int)offset), checked((int)length));
    }

    private sealed class Sink : IConsoleSink
    {
        public void Write(byte value)
        {
            // Nobody reads it.
        }
    }

    private sealed class Pages : IPageRelease
    {
        public ulong ReleaseUnit => 4096;

        public bool TryRelease(nint address, ulong length, out int error)
        {
            // The test's RAM stays: nobody else has it.
            error = 0;
            return true;
        }
    }
}
