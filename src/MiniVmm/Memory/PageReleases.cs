namespace MiniVmm.Memory;

/// <summary>Several backings as one: each takes back the pages that are its own.</summary>
/// <param name="backings">All with pages of the same size.</param>
internal sealed class PageReleases(IReadOnlyList<RamBacking> backings) : IPageRelease
{
    public ulong ReleaseUnit => backings[0].ReleaseUnit;

    public bool TryRelease(nint address, ulong length, out int error)
    {
        error = 0;
        while (length > 0 && error == 0)
        {
            // Backings can be neighbours on the host.
            RamBacking owner = backings.FirstOrDefault(backing => backing.Holds(address, ReleaseUnit)) ?? backings[0];
            ulong part = Math.Min(length, owner.Length - Math.Min((ulong)(address - owner.Address), owner.Length));
            if (!owner.TryRelease(address, Math.Max(part, ReleaseUnit), out error))
                break;
            address += (nint)part;
            length -= part;
        }

        return error == 0;
    }
}
