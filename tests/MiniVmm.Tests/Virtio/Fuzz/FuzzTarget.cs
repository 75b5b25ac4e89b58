using System.Buffers.Binary;
using MiniVmm.Virtio;
using MiniVmm.Virtio.Rng;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>A virtio device to fuzz.</summary>
/// <param name="Name">Of it, and the first part of the names of its files in the corpus.</param>
/// <param name="Plug">
/// Makes the host's side, and says how to make a device on it: one of any kind there is, or another like the first.
/// </param>
/// <param name="Header">
/// Makes what a request begins with, mostly meaningful; null for one that begins with a buffer to write.
/// </param>
public sealed record FuzzTarget(string Name, Func<FuzzHost, Func<IVirtioDevice>> Plug, Func<FuzzInput, byte[]?> Header)
    : FuzzSubject(Name)
{
    /// <summary>Every virtio device there is: one line each.</summary>
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("echo", host => Eager(host, () => new EchoDevice(16, 8)), input => new byte[1 + input.Below(64)])
        {
            Copies = true,
        },
        new("rng", host => Eager(host, () => new VirtioRng()), input => input.Chance(8) ? new byte[4] : null),
        new("blk", FuzzDisk.Plug, BlockHeader) { MostStatus = 2 },
        new("net", FuzzEndpoint.Plug, Frame) { LeastReceived = 12, HostsConfiguration = 6..8 },
        new("console", FuzzTerminal.Plug, input => input.Chance(128) ? Bytes(input, 16) : null),
        new("balloon", FuzzPages.Plug, PageNumbers),
        new("mem", FuzzBlocks.Plug, FuzzBlocks.Request),
    ];

    /// <summary>The largest that the last byte of an answer can be.</summary>
    public byte MostStatus { get; init; } = byte.MaxValue;

    /// <summary>A receive buffer shorter than this is the driver's mistake.</summary>
    public uint LeastReceived { get; init; }

    /// <summary>Bytes of its configuration that are the host's: of the one that a state is restored on.</summary>
    public Range HostsConfiguration { get; init; }

    /// <summary>It may bring to a buffer what was there before, by a way through others.</summary>
    public bool Copies { get; init; }

    public static FuzzTarget Named(string name) => All.Single(target => target.Name == name);

    public override FuzzCounts Run(ReadOnlyMemory<byte> input, FuzzTrace trace, Func<int, bool>? handsOver = null) =>
        DeviceFuzzer.Run(this, input, trace, handsOver);

    private static Func<IVirtioDevice> Eager(FuzzHost host, Func<IVirtioDevice> make)
    {
        host.MayKeep = _ => false;
        return make;
    }

    private static byte[]? BlockHeader(FuzzInput input)
    {
        uint type = input.Pick(0u, 0u, 0u, 1u, 1u, 1u, 4u, 8u, 11u, 13u, input.Byte());
        byte[] header = new byte[type is 11 or 13 ? 32 + (16 * input.Pick(0, 0, 1, 2)) : 16];
        BinaryPrimitives.WriteUInt32LittleEndian(header, type);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), input.Chance(8) ? input.UInt64() : input.Byte());
        for (int at = 16; at < header.Length; at += 16)
        {
            Span<byte> segment = header.AsSpan(at);
            BinaryPrimitives.WriteUInt64LittleEndian(segment, input.Chance(8) ? input.UInt64() : input.Byte());
            BinaryPrimitives.WriteUInt32LittleEndian(segment[8..], input.Chance(8) ? input.UInt32() : input.Byte());
            BinaryPrimitives.WriteUInt32LittleEndian(segment[12..], (uint)input.Pick(0, 0, 1, 3));
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
        if (input.Chance(64))
        {
            // What statistics look like.
            return [(byte)input.Below(20), 0, .. Bytes(input, 8)];
        }

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
}
