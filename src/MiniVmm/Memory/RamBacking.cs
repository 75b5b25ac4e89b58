using System.Globalization;
using System.Runtime.InteropServices;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Memory;

/// <summary>What was asked for as guest RAM.</summary>
/// <param name="Size">Bytes asked for.</param>
/// <param name="Path">Directory to back it with files in, or null for anonymous memory.</param>
/// <param name="Prealloc">Populate all of it now.</param>
/// <param name="Merge">Let KSM merge its pages.</param>
/// <param name="Max">Bytes that the guest can get while it runs, Size included; null for no more than Size.</param>
public sealed record MemoryOptions(
    ulong Size, string? Path = null, bool Prealloc = false, bool Merge = false, ulong? Max = null)
{
    /// <summary>Whether more can come than there is at the start.</summary>
    internal bool IsPluggable => Max is { } max && max != Size;

    /// <summary>For messages: "256 MiB,max=2 GiB".</summary>
    internal string Text => ByteSize.Format(Size) + (Max is { } max ? $",max={ByteSize.Format(max)}" : "");
}

/// <summary>
/// The host memory behind guest RAM: one mapping, zeroed, from anonymous pages, a hugetlbfs mount or a plain
/// directory. What the host lacks is an error here rather than a SIGBUS later: for all of it if RAM is populated, else
/// for what <see cref="Provide"/> is asked for.
/// </summary>
public sealed unsafe class RamBacking : IPageRelease, IDisposable
{
    private const ulong HugePage = 2 * MemoryLayout.MiB;
    private const ulong UserAddresses = 128 * 1024 * MemoryLayout.GiB; // x86-64 with four levels of page tables
    private readonly MemoryOptions _options;
    private readonly void* _mapping;
    private readonly ulong _mappingLength;

    private RamBacking(
        MemoryOptions options, byte* address, ulong length, void* mapping, ulong mappingLength, string description)
    {
        _options = options;
        Address = (nint)address;
        Length = length;
        _mapping = mapping;
        _mappingLength = mappingLength;
        Description = description;
    }

    /// <summary>Host virtual address of the first byte, aligned to 2 MiB (hugetlbfs: to its page size).</summary>
    public nint Address { get; }

    /// <summary>Bytes mapped.</summary>
    public ulong Length { get; }

    /// <summary>A page, which on hugetlbfs is a huge one.</summary>
    public ulong ReleaseUnit { get; private init; } = 4 * MemoryLayout.KiB;

    /// <summary>What it is made of, for people: "anonymous, transparent huge pages".</summary>
    public string Description { get; }

    /// <summary>
    /// The size a guest gets: <see cref="MemoryOptions.Size"/>, rounded up to the page size of hugetlbfs.
    /// </summary>
    /// <exception cref="BadInputException">The path is not a directory, or KSM was asked for on files.</exception>
    public static ulong RoundedSize(MemoryOptions options)
    {
        if (options.Path is null)
            return options.Size;
        if (!Directory.Exists(options.Path))
        {
            throw new BadInputException(
                $"{OptionName.MemPath.With(options.Path)}: not a directory; name one, such as /dev/hugepages");
        }

        if (options.Merge)
        {
            throw new BadInputException(
                $"{OptionName.MemMerge} with {OptionName.MemPath.With(options.Path)}: KSM merges anonymous pages only; leave "
                + $"one of them out");
        }

        ulong page = PageSize(options);
        ulong rest = options.Size % page;
        if (rest == 0 || options.Size > ulong.MaxValue - page)
            return options.Size; // whole, or so much that the memory map refuses it
        return options.Size - rest + page;
    }

    /// <summary>Bytes of a page of the backing: 4 KiB, or a huge page of hugetlbfs.</summary>
    internal static ulong PageSize(MemoryOptions options) =>
        (options.Path is null ? null : HugePageSize(options.Path)) ?? 4 * MemoryLayout.KiB;

    /// <summary>
    /// Reserves addresses for memory that may come, aligned to 2 MiB or a huge page: no page, no huge page of the pool and
    /// no disk space, before <see cref="Prepare"/>.
    /// </summary>
    /// <exception cref="HostLimitException">The host has no such addresses.</exception>
    internal static RamBacking Reserve(MemoryOptions options, ulong size) => options.Path is null
        ? Anonymous(options, size, reserve: true)
        : FromFile(options, options.Path, size, reserve: true);

    /// <summary>Maps <paramref name="size"/> bytes as the options say.</summary>
    /// <exception cref="HostLimitException">
    /// Not enough memory, huge pages or disk space; says how much is missing.
    /// </exception>
    public static RamBacking Allocate(MemoryOptions options, ulong size)
    {
        CheckKvmsTables(options, size);
        return options.Path is null ? Anonymous(options, size, reserve: false) : FromFile(options, options.Path, size, reserve: false);
    }

    public void Dispose() => _ = munmap(_mapping, (size_t)(_mappingLength));

    /// <summary>
    /// Makes the host provide the pages that this process is about to write: on a full file system, or over a cgroup's
    /// limit, the write itself would be a SIGBUS. Anonymous memory needs none of this.
    /// </summary>
    /// <param name="address">Host virtual address, in the mapping.</param>
    /// <param name="length">Bytes from there.</param>
    /// <exception cref="HostLimitException">It cannot.</exception>
    public void Provide(nint address, ulong length)
    {
        if (_options.Path is null || length == 0)
            return;
        ulong inPage = (ulong)address % (4 * MemoryLayout.KiB);
        byte* page = (byte*)address - inPage;
        if (madvise(page, (size_t)(length + inPage), Linux.MADV_POPULATE_WRITE) != 0 && errno != EINVAL)
            throw NotEnough(_options, PopulateFailure());
    }

    /// <summary>
    /// Has the host provide all pages of memory that was reserved, where the options want that, or where a missing page
    /// would be a SIGBUS: huge pages are not reserved.
    /// </summary>
    /// <param name="address">Host virtual address, a multiple of <see cref="ReleaseUnit"/>.</param>
    /// <param name="length">Bytes from there, whole pages.</param>
    /// <exception cref="HostLimitException">It cannot; some of the pages may be there.</exception>
    internal void Prepare(nint address, ulong length)
    {
        if (_options is { Prealloc: true, Path: null } && AvailableMemory() is { } available && length > available)
            throw NotEnough(_options, $"{ByteSize.Format(length)} more wanted, {available / MemoryLayout.MiB} MiB available");
        if (_options.Prealloc || ReleaseUnit > 4 * MemoryLayout.KiB)
            Populate(_options, (byte*)address, length);
    }

    /// <summary>
    /// Returns pages to the host, populated ones too. Files are punched through the mapping (MADV_REMOVE), which frees
    /// their blocks as fallocate(2) does; a full file system or huge page pool may have none when the guest wants one
    /// again.
    /// </summary>
    public bool TryRelease(nint address, ulong length, out int error)
    {
        error = EINVAL;
        if (!Holds(address, length) || (ulong)address % ReleaseUnit != 0 || length % ReleaseUnit != 0)
            return false;
        int advice = _options.Path is null ? MADV_DONTNEED : MADV_REMOVE;
        error = madvise((void*)address, (size_t)length, advice) == 0 ? 0 : errno;
        return error == 0;
    }

    /// <summary>Whether all these bytes are the backing's.</summary>
    internal bool Holds(nint address, ulong length) =>
        address >= Address && (ulong)(address - Address) <= Length && length <= Length - (ulong)(address - Address);

    /// <summary>One line for a page that the host could not provide while the guest ran, and what to do.</summary>
    /// <param name="vcpu">The vCPU that reached it.</param>
    /// <param name="address">Guest-physical address, if KVM named one.</param>
    public OptionMessage ExplainMissingPage(int vcpu, ulong? address)
    {
        string page = address is { } known ? $"the page of guest RAM at 0x{known:x}" : "a page of guest RAM";
        OptionMessage what = $"the host could not provide {page} that vCPU {vcpu} reached";
        if (_options.Path is { } path)
        {
            return $"{OptionName.MemPath.With(path)}: {what}: the file system or its huge pages are full, or a cgroup's "
                + $"limit is reached; make room there, or use {OptionName.MemPrealloc} to find out before the start";
        }

        return $"{OptionName.Mem.With(ByteSize.Format(_options.Size))}: {what}: its memory is used up, or a cgroup's limit "
            + $"is reached; free some, or give the guest less {OptionName.Mem}";
    }

    /// <summary>Cuts the mapping into the slots of a memory map of the same size.</summary>
    public GuestMemory Slots(GuestMemoryMap map)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(map.Size, Length);
        List<RamSlot> slots = [];
        ulong offset = 0;
        foreach (GuestRange range in map.Ram)
        {
            slots.Add(new RamSlot(range, Address + (nint)offset));
            offset += range.Length;
        }

        return new GuestMemory(slots);
    }

    private static RamBacking Anonymous(MemoryOptions options, ulong size, bool reserve)
    {
        bool populate = options.Prealloc && !reserve;
        if (populate && AvailableMemory() is { } available && size > available)
            throw NotEnough(options, $"{ByteSize.Format(size)} wanted, {available / MemoryLayout.MiB} MiB available");

        // Aligned to 2 MiB so that guest-physical and host huge pages line up; the ends are given back.
        ulong room = size + HugePage;
        void* mapping =
            mmap(null, (size_t)room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapping == MAP_FAILED)
            throw NotEnough(options, MappingFailure(size));
        byte* aligned = (byte*)(((nuint)mapping + (nuint)HugePage - 1) & ~((nuint)HugePage - 1));
        ulong before = (ulong)(aligned - (byte*)mapping);
        if (before > 0)
            _ = munmap(mapping, (size_t)(before));
        _ = munmap(aligned + size, (size_t)(HugePage - before));

        RamBacking backing = new(options, aligned, size, aligned, size, Describe(options));
        try
        {
            // Refused if the kernel was built without it: the pages are small then, and nothing else changes.
            _ = madvise(aligned, (size_t)size, MADV_HUGEPAGE);
            if (options.Merge && madvise(aligned, (size_t)size, MADV_MERGEABLE) != 0)
                throw new HostLimitException($"{OptionName.MemMerge}: {Failure("madvise")}; this kernel has no KSM (CONFIG_KSM)");
            if (populate)
                Populate(options, aligned, size);
            return backing;
        }
        catch
        {
            backing.Dispose();
            throw;
        }
    }

    private static RamBacking FromFile(MemoryOptions options, string directory, ulong size, bool reserve)
    {
        ulong? hugePage = HugePageSize(directory);
        bool populate = options.Prealloc && !reserve;
        int fd = OpenUnlinked(directory);
        try
        {
            if (ftruncate(fd, (long)size) != 0)
                throw NotEnough(options, Failure("ftruncate"));

            // On hugetlbfs, mmap itself reserves the pages; elsewhere only allocated blocks are certain.
            if (populate && hugePage is null && fallocate(fd, 0, 0, (long)size) != 0)
                throw NotEnough(options, $"{ByteSize.Format(size)} wanted, {Failure("fallocate")}");

            // Exceeding a cgroup's limit on huge pages in use, unlike that on reserved ones, would be a SIGBUS later.
            if (!reserve && hugePage is { } unit && HugePageCgroup.Find(unit, size) is { } limit)
                throw OverCgroupLimit(options, size, unit, limit);
            int flags = MAP_SHARED | (reserve ? MAP_NORESERVE : 0);
            void* mapping = mmap(null, (size_t)size, PROT_READ | PROT_WRITE, flags, fd, 0);
            if (mapping == MAP_FAILED)
                throw hugePage is { } page ? NoHugePages(options, size, page) : NotEnough(options, MappingFailure(size));
            string kind = hugePage is { } bytes ? $"hugetlbfs, pages of {ByteSize.Format(bytes)}" : "file";
            string description = $"{kind} in {directory}{(options.Prealloc ? ", populated" : "")}";
            RamBacking backing = new(options, (byte*)mapping, size, mapping, size, description)
            {
                ReleaseUnit = hugePage ?? 4 * MemoryLayout.KiB,
            };
            try
            {
                if (populate)
                    Populate(options, (byte*)mapping, size);
                return backing;
            }
            catch
            {
                backing.Dispose();
                throw;
            }
        }
        finally
        {
            _ = close(fd);
        }
    }

    /// <summary>A new file without a name: gone with the last mapping of it, however this process ends.</summary>
    private static int OpenUnlinked(string directory)
    {
        string path = Path.Combine(directory, $"minivmm-{Environment.ProcessId}-{Path.GetRandomFileName()}");
        nint name = Marshal.StringToCoTaskMemUTF8(path);
        try
        {
            int fd = open((byte*)name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0x180 /* 0600 */);
            if (fd < 0)
            {
                throw new HostLimitException(
                    $"{OptionName.MemPath.With(directory)}: cannot create a file there: {Failure("open")}");
            }

            _ = unlink((byte*)name);
            return fd;
        }
        finally
        {
            Marshal.FreeCoTaskMem(name);
        }
    }

    /// <summary>
    /// MADV_POPULATE_WRITE rather than MAP_POPULATE: it comes after MADV_HUGEPAGE, and it reports a failure,
    /// where MAP_POPULATE leaves the rest to be faulted in (and a SIGBUS) without a word.
    /// </summary>
    private static void Populate(MemoryOptions options, byte* address, ulong size)
    {
        if (madvise(address, (size_t)size, Linux.MADV_POPULATE_WRITE) == 0)
            return;
        if (errno != EINVAL)
            throw NotEnough(options, PopulateFailure());

        // Before Linux 5.14: touch every page.
        for (ulong offset = 0; offset < size; offset += 4 * MemoryLayout.KiB)
            Volatile.Write(ref address[offset], 0);
    }

    private static ulong? HugePageSize(string directory) =>
        Linux.StatFs(directory, out long type, out long blockSize) == 0 && type == Linux.HUGETLBFS_MAGIC
            ? (ulong)blockSize
            : null;

    private static HostLimitException OverCgroupLimit(
        MemoryOptions options, ulong size, ulong page, HugePageCgroup limit) => new(
            $"{OptionName.MemPath.With(options.Path)}: {size / page} huge pages of {ByteSize.Format(page)} wanted, but the "
            + $"cgroup leaves {limit.Left / page} of {limit.Limit / page}; raise the limit in {limit.File}, or give less "
            + $"{OptionName.Mem}");

    private static HostLimitException NoHugePages(MemoryOptions options, ulong size, ulong page)
    {
        int error = errno;
        ulong wanted = size / page;
        string pool = $"/sys/kernel/mm/hugepages/hugepages-{page / 1024}kB";
        ulong free = ReadCount($"{pool}/free_hugepages");
        ulong reserved = ReadCount($"{pool}/resv_hugepages");
        ulong available = free > reserved ? free - reserved : 0;
        if (wanted <= available)
        {
            return new HostLimitException(
                $"{OptionName.MemPath.With(options.Path)}: {wanted} huge pages of {ByteSize.Format(page)} wanted, {available} "
                + $"free, but the host does not give them: mmap: {Errno.Explain(error)}; look at the size= of the mount, at a limit of its "
                + $"NUMA policy (numactl -s), and at ulimit -v");
        }

        return new HostLimitException(
            $"{OptionName.MemPath.With(options.Path)}: {wanted} huge pages of {ByteSize.Format(page)} wanted, {available} free, "
            + $"{wanted - available} missing; add them with: echo N > {pool}/nr_hugepages");
    }

    private static ulong ReadCount(string path)
    {
        try
        {
            ReadOnlySpan<char> text = File.ReadAllText(path).AsSpan().Trim();
            return ulong.TryParse(text, CultureInfo.InvariantCulture, out ulong value) ? value : 0;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static ulong? AvailableMemory()
    {
        foreach (string line in File.ReadLines("/proc/meminfo"))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words is ["MemAvailable:", var kib, ..]
                && ulong.TryParse(kib, CultureInfo.InvariantCulture, out ulong value))
                return value * MemoryLayout.KiB;
        }

        return null;
    }

    /// <summary>
    /// RAM of which a guest touches little costs the host little, but for what KVM notes of each page, used or not: where it keeps
    /// shadow page tables, 8 bytes. Terabytes would have the host work for a minute and throw out all that it has cached.
    /// </summary>
    private static void CheckKvmsTables(MemoryOptions options, ulong size)
    {
        const ulong worthALook = 64 * MemoryLayout.GiB;
        ulong tables = size / (4 * MemoryLayout.KiB) * 8;
        if (!options.Prealloc && size > worthALook && AvailableMemory() is { } available && tables > available / 2)
        {
            throw NotEnough(
                options,
                $"KVM may need {ByteSize.Format(tables)} for its own tables of so many pages, {available / MemoryLayout.MiB} MiB available");
        }
    }

    private static HostLimitException NotEnough(MemoryOptions options, string why) =>
        new($"{OptionName.Mem.With(options.Text + (options.Path is null ? "" : $" in {options.Path}"))}: "
            + $"the host cannot give that much: {why}");

    /// <summary>EFAULT stands for the SIGBUS that a write would have got (madvise(2)).</summary>
    private static string PopulateFailure() => errno == EFAULT
        ? "no room left for its pages: the file system is full, or a cgroup's limit is reached"
        : Failure("populating it");

    private static string Failure(string call) => $"{call}: {ProcessLimit.Explain(errno)}";

    /// <summary>ENOMEM has several causes (mmap(2)): finds out which.</summary>
    private static string MappingFailure(ulong size)
    {
        string failure = Failure("mmap");
        if (errno != ENOMEM)
            return failure;
        if (size >= UserAddresses)
            return $"{failure}: a process has {ByteSize.Format(UserAddresses)} of addresses in all";
        if (ProcessLimit.AddressSpace is { } limit)
            return $"{failure}: this process may map {limit / MemoryLayout.MiB} MiB in all; raise the limit (ulimit -v)";
        return ReadCount("/proc/sys/vm/overcommit_memory") == 2
            ? $"{failure}: the host does not overcommit memory (vm.overcommit_memory is 2; see CommitLimit and "
                + "Committed_AS in /proc/meminfo)"
            : failure;
    }

    private static string Describe(MemoryOptions options) =>
        "anonymous, transparent huge pages" + (options.Prealloc ? ", populated" : "")
            + (options.Merge ? ", mergeable by KSM" : "");
}
