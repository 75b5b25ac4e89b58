using MiniVmm.Storage;

namespace MiniVmm.Machine;

/// <summary>Drives that name the place where the guest is to find them.</summary>
internal static class DrivePlaces
{
    /// <summary>Puts those that name a place there.</summary>
    /// <param name="drives">Drives of a controller, those without a place among them.</param>
    /// <param name="count">How many places it has.</param>
    /// <param name="controller">What messages call it.</param>
    /// <returns>The places; null where nobody asked for one.</returns>
    /// <exception cref="BadInputException">There is no such place, or two drives ask for it.</exception>
    public static DiskOptions?[] Named(IEnumerable<DiskOptions> drives, int count, string controller)
    {
        DiskOptions?[] places = new DiskOptions?[count];
        foreach (DiskOptions drive in drives)
        {
            if (drive.Place is not { } place)
                continue;
            if (place < 0 || place >= count)
                throw new BadInputException($"{drive.Subject}: {controller} has places 0 to {count - 1}, and no place {place}");
            if (places[place] is { } other)
                throw new BadInputException($"{drive.Subject}: place {place} of {controller} has {other.Subject}; choose another");
            places[place] = drive;
        }

        return places;
    }
}
