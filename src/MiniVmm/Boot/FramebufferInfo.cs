using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// A linear framebuffer as a kernel is told of it: 32 bits a dot, of which blue are the lowest eight, then green and red; a line
/// follows the one above without a gap.
/// </summary>
/// <param name="Address">Guest-physical address of the top left dot.</param>
/// <param name="Width">Dots of a line.</param>
/// <param name="Height">Lines.</param>
internal sealed record FramebufferInfo(ulong Address, int Width, int Height)
{
    public const byte BitsPerPixel = 32;
    public const byte RedPosition = 16, GreenPosition = 8, BluePosition = 0;

    /// <summary>Bits of each colour.</summary>
    public const byte ColourBits = 8;

    /// <summary>Bytes of a line.</summary>
    public int Pitch => Width * (BitsPerPixel / 8);

    /// <summary>Bytes of all lines.</summary>
    public int Length => Pitch * Height;
}

/// <summary>
/// The framebuffer that a machine can have. A loader whose kernel wants one chooses its size and says so in
/// <see cref="BootImage.Framebuffer"/>: only then there is one.
/// </summary>
internal sealed record FramebufferOffer
{
    private const int UsualWidth = 1024, UsualHeight = 768;

    /// <summary>The user wants the guest to have one: a kernel that does not ask is told of it too.</summary>
    public bool IsAskedFor { get; init; }

    /// <summary>Where it would be.</summary>
    public ulong Address { get; init; } = MemoryLayout.Framebuffer;

    /// <summary>The framebuffer for a kernel's wish.</summary>
    /// <param name="width">0 for any; what is no size of a screen is taken as that.</param>
    /// <param name="height">The same.</param>
    public FramebufferInfo Choose(uint width, uint height)
    {
        bool possible = width is >= 160 and <= 4096 && height is >= 100 and <= 4096
            && (ulong)width * height * (FramebufferInfo.BitsPerPixel / 8) <= MemoryLayout.FramebufferSize;
        return possible
            ? new(Address, (int)width, (int)height)
            : new(Address, UsualWidth, UsualHeight);
    }
}
