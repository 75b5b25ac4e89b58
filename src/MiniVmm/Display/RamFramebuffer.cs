using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Display;

/// <summary>
/// QEMU's ramfb: a framebuffer in the guest's own RAM, at an address that it writes to a file of fw_cfg: address, format as a
/// four-letter code, flags, width, height and bytes of a line, all big-endian.
/// </summary>
/// <param name="memory">Guest RAM, mapped for as long as the screen is looked at.</param>
internal sealed unsafe class RamFramebuffer(GuestMemory memory) : IFwCfgWritten
{
    /// <summary>The file of fw_cfg.</summary>
    public const string File = "etc/ramfb";

    /// <summary>Bytes of the file.</summary>
    public const int Length = 28;

    /// <summary>Largest width and height: a picture of it is made here.</summary>
    private const uint MostDots = 8192;

    private const ulong MostBytes = 64 * MemoryLayout.MiB;

    /// <summary>What the guest has said; nothing at first.</summary>
    public byte[] Content { get; } = new byte[Length];

    public LinearFramebuffer Framebuffer { get; } = new(0, 0);

    /// <summary>Shows what the file says; nothing where that is no picture, or not all in RAM.</summary>
    public void Written()
    {
        ReadOnlySpan<byte> file = Content;
        ulong address = BinaryPrimitives.ReadUInt64BigEndian(file);
        int bits = Bits(BinaryPrimitives.ReadUInt32BigEndian(file[8..]));
        uint width = BinaryPrimitives.ReadUInt32BigEndian(file[16..]);
        uint height = BinaryPrimitives.ReadUInt32BigEndian(file[20..]);
        uint pitch = BinaryPrimitives.ReadUInt32BigEndian(file[24..]);
        if (pitch == 0)
            pitch = Math.Min(width, MostDots) * (uint)(bits / 8);
        ulong length = (ulong)pitch * Math.Min(height, MostDots);
        if (bits != 0 && width <= MostDots && height <= MostDots && length <= MostBytes && memory.TryResolve(address, length, out byte* host))
            Framebuffer.Show((nint)host, length, new FrameMode((int)width, (int)height, (int)pitch, 0, bits));
        else
            Framebuffer.Show(0, 0, null);
    }

    /// <summary>Bits of a dot, of Linux' fourcc codes (drm_fourcc.h) those with blue in the lowest bits; 0 for others.</summary>
    private static int Bits(uint fourcc) => fourcc switch
    {
        0x34325258 or 0x34325241 => 32, // XR24, AR24
        0x34324752 => 24, // RG24
        0x36314752 => 16, // RG16
        _ => 0,
    };
}
