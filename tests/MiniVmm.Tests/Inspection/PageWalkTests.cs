using MiniVmm.Inspection;

namespace MiniVmm.Tests.Inspection;

public sealed class PageWalkTests : IDisposable
{
    private readonly Guest _guest = new();

    [Fact]
    public void A_page_is_found_by_its_entries()
    {
        _guest.Map(0x40000, 0x7000 | 3);

        PageWalk walk = _guest.View.Walk(0x40123);

        Assert.Equal(PageWalkEnd.Mapped, walk.End);
        Assert.Equal(0x7123UL, walk.Physical);
        Assert.Equal(4, walk.Count);
        Assert.Equal(["PML4E", "PDPTE", "PDE", "PTE"], [walk[0].Name, walk[1].Name, walk[2].Name, walk[3].Name]);
        Assert.Equal(Guest.Tables + 0x3000 + 0x40 * 8, walk[3].Address);
        Assert.Equal("present, writable, supervisor", walk[3].Flags(walk.Mode));
    }

    [Theory]
    [InlineData(0x4000_0083UL, (int)(0x4000_0000UL), 0x200000UL)] // 2 MiB in the directory
    public void A_large_page_ends_the_walk_early(ulong entry, ulong physical, ulong size)
    {
        _guest.Put(Guest.Tables + 0x2008, entry);

        PageWalk walk = _guest.View.Walk(0x20_0005);

        Assert.Equal((PageWalkEnd.Mapped, physical + 5, size), (walk.End, walk.Physical, walk.PageSize));
        Assert.Contains("2-MiB page", walk[2].Flags(walk.Mode), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0UL, PageAccess.Read, 0x0u)]
    [InlineData(0UL, PageAccess.Write, 0x2u)]
    [InlineData(0UL, PageAccess.Fetch, 0x0u)] // without NXE and SMEP a fetch is not told
    [InlineData(0UL, PageAccess.Fetch | PageAccess.User, 0x4u)]
    [InlineData(0x7001UL, (int)(PageAccess.Write), 0x3u)] // read-only, CR0.WP
    [InlineData(0x7003UL, (int)(PageAccess.User), 0x5u)]
    [InlineData(0x7005UL, (int)(PageAccess.User | PageAccess.Write), 0x7u)]
    [InlineData(0x8000_0000_0000_7003UL, (int)(PageAccess.Read), 0x9u)] // NX without NXE
    [InlineData(0x0008_0000_0000_7003UL, (int)(PageAccess.Write), 0xbu)] // beyond 48 physical bits
    public void What_is_not_allowed_gets_the_processors_error_code(ulong entry, int access, uint code)
    {
        for (ulong at = Guest.Tables; at < Guest.Tables + 0x3000; at += 0x1000)
            _guest.Put(at, Physical(at) | 4);
        _guest.Map(0x40000, entry);
        PagingState paging = _guest.View.Paging with { PhysicalBits = 48 };
        PageWalk walk = PageWalk.Of(0x40000, paging, _guest.Memory);

        Assert.False(walk.Permits((PageAccess)access, paging, out uint error));
        Assert.Equal(code, error);
    }

    [Fact]
    public void Supervisors_are_kept_off_user_pages_by_SMAP_and_SMEP()
    {
        for (ulong at = Guest.Tables; at < Guest.Tables + 0x3000; at += 0x1000)
            _guest.Put(at, Physical(at) | 4);
        _guest.Map(0x40000, 0x7007);
        PagingState paging = _guest.View.Paging;
        Assert.True(_guest.View.Walk(0x40000).Permits(PageAccess.Fetch, paging, out _));

        _guest.Sregs.cr4 |= ControlBits.Cr4Smap | ControlBits.Cr4Smep;
        paging = _guest.View.Paging;
        PageWalk walk = _guest.View.Walk(0x40000);

        Assert.False(walk.Permits(PageAccess.Read, paging, out uint read));
        Assert.False(walk.Permits(PageAccess.Fetch, paging, out uint fetch));
        Assert.Equal((0x1u, 0x11u), (read, fetch));
        Assert.True(walk.Permits(PageAccess.Read, paging with { Rflags = ControlBits.RflagsAc }, out _));
        Assert.True(walk.Permits(PageAccess.Read | PageAccess.User, paging, out _));
    }

    [Fact]
    public void A_table_outside_of_RAM_ends_the_walk()
    {
        _guest.Put(Guest.Tables + 8, 0xd000_0003);

        PageWalk walk = _guest.View.Walk(1UL << 39 | 0x1000);

        Assert.Equal((PageWalkEnd.TableNotInRam, 0xd000_0000UL), (walk.End, walk.Physical));
    }

    [Theory]
    [InlineData(0x8000_0000_0000UL)]
    [InlineData(0xffff_7fff_ffff_ffffUL)]
    public void An_address_that_is_not_canonical_is_not_walked(ulong linear) =>
        Assert.Equal(PageWalkEnd.NotCanonical, _guest.View.Walk(linear).End);

    [Fact]
    public void Two_level_paging_has_4_MiB_pages_with_more_address_bits()
    {
        _guest.Sregs.efer = 0;
        _guest.Sregs.cr4 = ControlBits.Cr4Pse;
        _guest.Put(Guest.Tables, 0x0040_2083UL << 32 | 0x20_1003); // entry 1: 4 MiB at 0x1_0040_0000

        PageWalk large = _guest.View.Walk(0x40_0010);

        Assert.Equal(PagingMode.TwoLevel, large.Mode);
        Assert.Equal((PageWalkEnd.Mapped, 0x1_0040_0010UL), (large.End, large.Physical));
    }

    [Fact]
    public void PAE_paging_begins_with_four_entries()
    {
        _guest.Sregs.efer = 0;
        _guest.Sregs.cr3 = Guest.Tables + 0x20;
        _guest.Put(Guest.Tables + 0x20 + 8, Guest.Tables + 0x2001);
        _guest.Map(0x40000, 0x7003);

        PageWalk walk = _guest.View.Walk(0x4004_0000);

        Assert.Equal((PagingMode.Pae, PageWalkEnd.Mapped, 0x7000UL, 3), (walk.Mode, walk.End, walk.Physical, walk.Count));
        _guest.Put(Guest.Tables + 0x20 + 8, Guest.Tables + 0x2003);
        Assert.Equal((PageWalkEnd.ReservedBit, 2UL), (_guest.View.Walk(0x4004_0000).End, _guest.View.Walk(0x4004_0000).ReservedBits));
    }

    [Fact]
    public void Nothing_is_allocated()
    {
        GuestView view = _guest.View;
        _ = view.Walk(Guest.Code);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            _ = view.Walk(Guest.Code);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private ulong Physical(ulong address)
    {
        Assert.True(_guest.Memory.TryRead(address, out ulong value));
        return value;
    }

    public void Dispose() => _guest.Dispose();
}
