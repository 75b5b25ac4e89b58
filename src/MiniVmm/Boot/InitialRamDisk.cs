using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// Finds room for an initial RAM disk: as high as allowed, out of the way of a kernel that grows upwards.
/// </summary>
internal static class InitialRamDisk
{
    /// <summary>Where a cpio archive may start after another one (Documentation/driver-api/early-userspace).</summary>
    private const int Alignment = 4;

    /// <param name="plan">What is placed already.</param>
    /// <param name="request">Holds the RAM disk, if there is one; several files are concatenated.</param>
    /// <param name="limit">First address that is too high, below the device hole.</param>
    /// <param name="mayLieHigh">Whether RAM above 4 GiB will do when there is no room below.</param>
    /// <returns>Where it lies; null without a RAM disk, or with an empty one.</returns>
    /// <exception cref="BadInputException">It fits nowhere, or has words.</exception>
    public static GuestRange? Place(LoadPlan plan, BootRequest request, ulong limit, bool mayLieHigh)
    {
        ReadOnlyMemory<byte> data = Join(request.Initrds);
        if (data.IsEmpty)
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
            $"{request.Initrds[0].File.Path}: its {data.Length} bytes do not fit in free RAM between " +
            $"0x{MemoryLayout.HighMemory:x} and 0x{lowLimit:x} beside the kernel" +
            $"{plan.MemoryAdvice(taken + (ulong)data.Length)}");
    }

    private static ReadOnlyMemory<byte> Join(IReadOnlyList<BootModule> files)
    {
        long length = 0;
        foreach ((BootFile file, ReadOnlyMemory<byte> data) in files)
        {
            if (file.Words.Length > 0)
            {
                throw new BadInputException(
                    $"{file.Path}: the words after it (\"{file.Words}\") are for a multiboot kernel's module; this " +
                    $"kernel takes {OptionName.Initrd.With("FILE[,FILE...]")} only");
            }

            length = Aligned(length) + data.Length;
        }

        if (files.Count < 2)
            return files.Count == 0 ? default : files[0].Data;
        if (length > Array.MaxLength)
            throw new BadInputException($"{files[0].File.Path}: with the files after it, {length} bytes, more than 2 GiB");
        byte[] joined = new byte[length];
        long at = 0;
        foreach ((_, ReadOnlyMemory<byte> data) in files)
        {
            at = Aligned(at);
            data.Span.CopyTo(joined.AsSpan((int)at));
            at += data.Length;
        }

        return joined;
    }

    private static long Aligned(long length) => (length + Alignment - 1) & -Alignment;
}
