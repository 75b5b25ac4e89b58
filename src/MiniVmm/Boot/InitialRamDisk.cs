using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// Finds room for an initial RAM disk: as high as allowed, out of the way of a kernel that grows upwards.
/// </summary>
internal static class InitialRamDisk
{
    /// <param name="plan">What is placed already.</param>
    /// <param name="request">Holds the RAM disk, if there is one.</param>
    /// <param name="limit">First address that is too high, below the device hole.</param>
    /// <param name="mayLieHigh">Whether RAM above 4 GiB will do when there is no room below.</param>
    /// <returns>Where it lies; null without a RAM disk, or with an empty one.</returns>
    /// <exception cref="BadInputException">It fits nowhere.</exception>
    public static GuestRange? Place(LoadPlan plan, BootRequest request, ulong limit, bool mayLieHigh)
    {
        if (request.Initrd is not { Length: > 0 } data)
            return null;
        const string segment = "initrd";
        ulong lowLimit = Math.Min(limit, request.Memory.LowRamEnd);
        ulong? address = plan.TryPlaceHighest(segment, data, MemoryLayout.HighMemory, lowLimit);
        if (address is null && mayLieHigh)
            address = plan.TryPlaceHighest(segment, data, MemoryLayout.HighRam, ulong.MaxValue);
        if (address is { } found)
            return new(found, (ulong)data.Length);

        ulong taken = plan.Segments.Max(placed => placed.End);
        throw new BadInputException(
            $"{request.InitrdName ?? segment}: its {data.Length} bytes do not fit in free RAM between " +
            $"0x{MemoryLayout.HighMemory:x} and 0x{lowLimit:x} beside the kernel" +
            plan.MemoryAdvice(taken + (ulong)data.Length));
    }
}
