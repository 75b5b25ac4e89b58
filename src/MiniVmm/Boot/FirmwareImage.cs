using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// Firmware of a PC: an image that ends at 4 GiB, where a processor begins after its reset (SDM vol. 3, 10.1.4), and whose last
/// 128 KiB are below 1 MiB too, for real mode.
/// </summary>
internal static class FirmwareImage
{
    private const ulong PageSize = 4 * MemoryLayout.KiB;

    /// <summary>Where an image of a length is.</summary>
    public static GuestRange Place(ulong length) => new(MemoryLayout.HighRam - length, length);

    /// <summary>The machine before its firmware: nothing in RAM but the part below 1 MiB.</summary>
    /// <param name="name">The file, as the user named it.</param>
    /// <param name="image">Its bytes.</param>
    /// <param name="memory">Where the guest has RAM.</param>
    /// <exception cref="BadInputException">It is no image of such firmware.</exception>
    public static BootImage Load(string name, ReadOnlyMemory<byte> image, GuestMemoryMap memory)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ulong length = (ulong)image.Length;
        ulong most = MemoryLayout.HighRam - MemoryLayout.FirmwareStart;
        if (length % PageSize != 0 || length > most)
        {
            throw new BadInputException($"{OptionName.Firmware.With(name)}: {length} bytes are no firmware, which is whole pages of "
                + $"4 KiB and at most {ByteSize.Format(most)}");
        }

        int low = (int)Math.Min(length, MemoryLayout.HighMemory - MemoryLayout.FirmwareShadow);
        return new BootImage
        {
            Format = $"firmware, {ByteSize.Format(length)} below 4 GiB",
            Segments =
            [
                new($"firmware's last {ByteSize.Format((ulong)low)}", MemoryLayout.HighMemory - (ulong)low, image[^low..]),
            ],
            Memory = memory,
            Firmware = new(0, null),
            Entry = new EntryState(EntryMode.Reset, MemoryLayout.HighRam - 16),
        };
    }
}
