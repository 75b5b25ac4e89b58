using System.Globalization;
using MiniVmm.Memory;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Memory;

public sealed unsafe class RamBackingTests : IDisposable
{
    private const ulong MiB = MemoryLayout.MiB;
    private const ulong GiB = MemoryLayout.GiB;
    private readonly string _directory = Directory.CreateTempSubdirectory("minivmm-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Anonymous_ram_is_zero_aligned_to_2_MiB_and_writable_to_its_last_byte(bool prealloc)
    {
        using RamBacking backing = RamBacking.Allocate(new(4 * MiB, Prealloc: prealloc), 4 * MiB);
        Span<byte> ram = Ram(backing);

        Assert.Equal(0, backing.Address % (nint)(2 * MiB));
        Assert.Equal(4 * MiB, backing.Length);
        Assert.Equal(-1, ram.IndexOfAnyExcept((byte)0));
        ram[0] = 1;
        ram[^1] = 2;
        Assert.Equal(prealloc, backing.Description.Contains("populated", StringComparison.Ordinal));
    }

    [Fact]
    public void A_size_that_is_no_multiple_of_2_MiB_keeps_its_last_page()
    {
        using RamBacking backing = RamBacking.Allocate(new(2 * MiB + 4096), 2 * MiB + 4096);

        Ram(backing)[^1] = 1;
    }

    [Fact]
    public void Merging_is_told_of()
    {
        using RamBacking backing = RamBacking.Allocate(new(2 * MiB, Merge: true), 2 * MiB);

        Assert.Contains("mergeable by KSM", backing.Description, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Reserved_ram_takes_nothing_before_it_is_prepared(bool prealloc)
    {
        MemoryOptions options = new(2 * MiB, "/dev/shm", prealloc, Max: 64 * GiB);
        using RamBacking backing = RamBacking.Reserve(options, 64 * GiB); // more than there is
        using RamBacking anonymous = RamBacking.Reserve(options with { Path = null }, 64 * GiB);

        foreach (RamBacking reserved in (RamBacking[])[backing, anonymous])
        {
            nint far = (nint)((ulong)reserved.Address + (62 * GiB));
            reserved.Prepare(far, 2 * MiB);
            Assert.Equal(prealloc ? 2 * MiB : 0, Resident(reserved));
            Assert.True(reserved.TryRelease(far, 2 * MiB, out _));
            Assert.Equal(0ul, Resident(reserved));
        }
    }

    [Fact]
    public void Pages_go_back_to_the_backing_that_they_are_of()
    {
        using RamBacking first = RamBacking.Allocate(new(4 * MiB), 4 * MiB);
        using RamBacking second = RamBacking.Allocate(new(4 * MiB), 4 * MiB);
        PageReleases both = new([first, second]);
        Ram(first)[4096] = Ram(second)[4096] = 1;

        Assert.True(both.TryRelease(second.Address, 8192, out _));

        Assert.Equal((1, 0), (Ram(first)[4096], Ram(second)[4096]));
        Assert.False(both.TryRelease(second.Address + (nint)(1 * GiB), 4096, out int error));
        Assert.NotEqual(0, error);
    }

    [Fact]
    public void A_page_that_the_host_could_not_provide_is_told_with_its_place_and_what_to_do()
    {
        using RamBacking anonymous = RamBacking.Allocate(new(2 * MiB), 2 * MiB);
        using RamBacking file = RamBacking.Allocate(new(2 * MiB, _directory), 2 * MiB);

        Assert.StartsWith(
            "--mem 2 MiB: the host could not provide a page of guest RAM that vCPU 1 reached: its memory is used up",
            anonymous.ExplainMissingPage(1, null).OnCommandLine(), StringComparison.Ordinal);
        string line = file.ExplainMissingPage(0, 0x12_3000).OnCommandLine();
        Assert.StartsWith(
            $"--mem-path {_directory}: the host could not provide the page of guest RAM at 0x123000 that vCPU 0 reached: ",
            line, StringComparison.Ordinal);
        Assert.Contains("--mem-prealloc", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_file_behind_ram_has_no_name_from_the_start(bool prealloc)
    {
        MemoryOptions options = new(2 * MiB, _directory, prealloc);
        using RamBacking backing = RamBacking.Allocate(options, RamBacking.RoundedSize(options));
        Span<byte> ram = Ram(backing);

        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory));
        Assert.Equal(-1, ram.IndexOfAnyExcept((byte)0));
        ram[0] = 1;
        ram[^1] = 2;
        Assert.StartsWith($"file in {_directory}", backing.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void Pages_of_a_file_that_are_about_to_be_written_are_provided_or_refused()
    {
        using RamBacking backing = RamBacking.Allocate(new(2 * MiB, _directory), 2 * MiB);

        backing.Provide(backing.Address + 5000, 100);
        backing.Provide(backing.Address, 0);

        Assert.Equal(-1, Ram(backing).IndexOfAnyExcept((byte)0));
        Assert.Throws<HostLimitException>(() => backing.Provide(0x1000, 1)); // nothing is mapped there
    }

    [Fact]
    public void More_than_the_host_has_is_refused_before_it_is_touched_with_both_numbers()
    {
        const ulong size = 1UL << 50;

        string message =
            Assert.Throws<HostLimitException>(() => RamBacking.Allocate(new(size, Prealloc: true), size)).OnCommandLine();

        Assert.Matches(@"^--mem 1024 TiB: .* 1024 TiB wanted, \d+ MiB available$", message);
    }

    [Fact]
    public void So_much_that_KVMs_own_tables_would_fill_the_host_is_refused_though_it_is_not_touched()
    {
        const ulong size = 1UL << 50;

        string message = Assert.Throws<HostLimitException>(() => RamBacking.Allocate(new(size), size)).OnCommandLine();

        Assert.Contains("KVM may need 2 TiB for its own tables of so many pages", message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_than_an_address_space_is_refused()
    {
        const ulong size = 1UL << 61;

        HostLimitException refusal = Assert.Throws<HostLimitException>(() => RamBacking.Allocate(new(size), size));

        Assert.Contains("the host cannot give that much", refusal.OnCommandLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void More_than_the_file_system_takes_is_refused_and_leaves_nothing_behind()
    {
        const ulong size = 1UL << 61;

        string message = Assert.Throws<HostLimitException>(
            () => RamBacking.Allocate(new(size, _directory, Prealloc: true), size)).OnCommandLine();

        Assert.Contains($"in {_directory}", message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory));
    }

    [Fact]
    public void A_directory_that_takes_no_files_is_the_hosts_limit()
    {
        string message =
            Assert.Throws<HostLimitException>(() => RamBacking.Allocate(new(2 * MiB, "/proc"), 2 * MiB)).OnCommandLine();

        Assert.StartsWith("--mem-path /proc: cannot create a file there", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_path_that_is_no_directory_is_refused()
    {
        string file = Path.Combine(_directory, "file");
        File.WriteAllText(file, "");

        foreach (string path in (string[])[file, Path.Combine(_directory, "missing"), ""])
        {
            string message = Assert.Throws<BadInputException>(() => RamBacking.RoundedSize(new(2 * MiB, path))).OnCommandLine();
            Assert.StartsWith($"--mem-path {path}: not a directory", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Merging_files_is_refused() =>
        Assert.StartsWith(
            $"--mem-merge with --mem-path {_directory}",
            Assert.Throws<BadInputException>(
                () => RamBacking.RoundedSize(new(2 * MiB, _directory, Merge: true))).OnCommandLine(),
            StringComparison.Ordinal);

    [Theory]
    [InlineData(2 * MiB, 2 * MiB)]
    [InlineData(2 * MiB + 1, 2 * MiB + 4096)]
    [InlineData(0, 0)]
    public void Files_come_in_whole_pages(ulong asked, ulong given) =>
        Assert.Equal(given, RamBacking.RoundedSize(new(asked, _directory)));

    [Fact]
    public void A_size_near_2_to_the_64_does_not_round_to_nothing()
    {
        ulong size = RamBacking.RoundedSize(new(ulong.MaxValue - 1023, _directory));

        string message = Assert.Throws<BadInputException>(() => new GuestMemoryMap(size)).OnCommandLine();
        Assert.DoesNotContain("--mem 0", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Anonymous_ram_is_not_rounded() => Assert.Equal(2 * MiB + 1, RamBacking.RoundedSize(new(2 * MiB + 1)));

    [Fact]
    public void Five_GiB_are_cut_at_the_device_hole_and_stay_one_mapping()
    {
        using RamBacking backing = RamBacking.Allocate(new(5 * GiB), 5 * GiB);
        GuestMemory memory = backing.Slots(new GuestMemoryMap(5 * GiB));

        Assert.Equal([new(0, 3 * GiB), new(4 * GiB, 2 * GiB)], memory.Slots.Select(slot => slot.Range));
        Assert.Equal([0L, (long)(3 * GiB)], memory.Slots.Select(slot => (long)(slot.Host - backing.Address)));
        Assert.True(memory.TryWrite(3 * GiB - 8, 0x1111UL));
        Assert.False(memory.TryWrite(3 * GiB - 4, 0x1111UL));
        Assert.False(memory.TryWrite(4 * GiB - 8, 0x1111UL));
        Assert.True(memory.TryRead(4 * GiB, out ulong high));
        Assert.Equal(0UL, high);
        Assert.True(memory.TryWrite(6 * GiB - 8, 0x2222UL));
        Assert.False(memory.TryRead(6 * GiB - 7, out ulong _));
    }

    [Fact]
    public void A_map_of_another_size_is_refused()
    {
        using RamBacking backing = RamBacking.Allocate(new(2 * MiB), 2 * MiB);

        Assert.Throws<ArgumentOutOfRangeException>(() => backing.Slots(new GuestMemoryMap(4 * MiB)));
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData(null, true)]
    [InlineData("/dev/shm", false)]
    [InlineData("/dev/shm", true)]
    public void Released_pages_are_the_hosts_and_come_again_as_zeroes(string? path, bool prealloc)
    {
        using RamBacking backing = RamBacking.Allocate(new(4 * MiB, path, prealloc), 4 * MiB);
        Span<byte> ram = Ram(backing);
        ram.Fill(0x5a);
        ulong before = Resident(backing);

        Assert.True(backing.TryRelease(backing.Address + (nint)MiB, 2 * MiB, out int error), $"errno {error}");

        Assert.Equal((4 * MiB, 2 * MiB), (before, Resident(backing)));
        Assert.Equal(-1, ram.Slice((int)MiB, 2 * (int)MiB).IndexOfAnyExcept((byte)0)); // a file's blocks are gone too
        Assert.Equal(-1, ram[..(int)MiB].IndexOfAnyExcept((byte)0x5a));
        Assert.Equal(-1, ram[(3 * (int)MiB)..].IndexOfAnyExcept((byte)0x5a));
        ram[2 * (int)MiB] = 1;
    }

    [Theory]
    [InlineData(-4096, 4096)]
    [InlineData(0, 2 * MiB + 4096)]
    [InlineData(2 * (long)MiB, 4096)]
    [InlineData(2 * (long)MiB + 4096, 4096)]
    [InlineData(4096, 2 * MiB)]
    [InlineData(4096, ulong.MaxValue - 4095)]
    [InlineData(1, 4096)]
    [InlineData(0, 4095)]
    public void What_is_no_page_of_it_is_not_released(long offset, ulong length)
    {
        using RamBacking backing = RamBacking.Allocate(new(2 * MiB), 2 * MiB);

        Assert.False(backing.TryRelease(backing.Address + (nint)offset, length, out int error));
        Assert.Equal((22, 4096ul), (error, backing.ReleaseUnit)); // EINVAL
    }

    /// <summary>Bytes of the mapping that are in memory, by the kernel's account.</summary>
    private static ulong Resident(RamBacking backing)
    {
        ulong sum = 0;
        bool inside = false;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            string[] words = line.Split([' ', '-'], StringSplitOptions.RemoveEmptyEntries);
            if (words is ["Rss:", var kib, ..] && inside)
                sum += ulong.Parse(kib) * 1024;
            else if (ulong.TryParse(words[0], NumberStyles.AllowHexSpecifier, null, out ulong start))
                inside = start >= (ulong)backing.Address && start < (ulong)backing.Address + backing.Length;
        }

        return sum;
    }

    private static Span<byte> Ram(RamBacking backing) => new((void*)backing.Address, (int)backing.Length);
}
