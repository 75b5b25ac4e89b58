using System.Buffers.Binary;
using System.Text;
using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Boot.Limine;

/// <summary>
/// The answers to an executable's requests (Limine boot protocol, "Feature List"). What the machine lacks is left without an
/// answer: SMBIOS, EFI, a device tree.
/// </summary>
internal sealed class LimineHandover(
    BootRequest request, LimineRequests requests, LimineImage image, LoadPlan plan, ulong revision)
{
    // pause; mov rax, [rdi + 16]; test rax, rax; jz to the start; xor eax, eax; jmp [rdi + 16]
    private static readonly ulong[] ParkingLoop = [0x8548_1047_8b48_90f3, 0x1067_ffc0_31f5_74c0];

    private const int FileSize = 112;
    private const int ProcessorSize = 32;

    /// <summary>Bytes of all answers of a fixed size, well rounded up.</summary>
    private const ulong FixedSize = 4096;

    private readonly List<string> _notes = [];
    private LimineBlock _block = null!; // before the first answer
    private ulong? _line;

    public required IReadOnlyList<PlacedModule> Modules { get; init; }

    /// <summary>Where the executable's own file lies, if it asks for it.</summary>
    public required GuestRange? File { get; init; }

    /// <summary>The boot processor, and the others if it asks for them.</summary>
    public required IReadOnlyList<FirmwareCpu> Cpus { get; init; }

    /// <summary>The framebuffer that it asked for and has; null for none.</summary>
    public required FramebufferInfo? Framebuffer { get; init; }

    /// <summary>Physical address of the ACPI root pointer.</summary>
    public required ulong Rsdp { get; init; }

    /// <summary>Where the executable and its modules lie.</summary>
    public required IReadOnlyList<GuestRange> Kept { get; init; }

    /// <summary>Where the other processors wait, and what each has in RDI: the pointer to its structure.</summary>
    public ulong ParkingCode { get; private set; }

    public IReadOnlyList<ulong> Parking { get; private set; } = [];

    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Places the answers; nothing may be placed afterwards, since they have the memory map.</summary>
    /// <param name="take">Finds and takes room for so many bytes; gives the physical address.</param>
    /// <exception cref="BadInputException">There is none.</exception>
    public void Place(Func<ulong, ulong> take)
    {
        byte[] line = KernelCommandLine.Encode(request.KernelName, request.CommandLine, MemoryLayout.CommandLineMax - 1);
        ulong mapEntries = (ulong)(2 * (plan.Segments.Count + plan.Memory.E820.Count) + 16);
        ulong words = (ulong)Modules.Sum(module =>
            (long)Encoding.UTF8.GetByteCount(module.File.Path) + Encoding.UTF8.GetByteCount(module.File.Words) + FileSize + 64);
        ulong size = FixedSize + (ulong)line.Length + (ulong)Encoding.UTF8.GetByteCount(request.KernelName) + words
            + (ulong)Cpus.Count * (ProcessorSize + 8) + mapEntries * 32;
        ulong address = take(size);
        byte[] bytes = new byte[size];
        plan.Fill(address, bytes);
        _block = new(bytes, LimineLoader.DirectMap + address);
        foreach ((LimineFeature feature, ulong at) in requests.All)
        {
            if (Answer(feature) is { } response && image.TryGet(at, LimineRequests.RequestSize, out Span<byte> place))
                BinaryPrimitives.WriteUInt64LittleEndian(place[LimineRequests.ResponseOffset..], response);
            else
                _notes.Add($"request 0x{(ulong)feature:x}: not answered, for want of what it asks for");
        }
    }

    /// <returns>The pointer to the response; null for none.</returns>
    private ulong? Answer(LimineFeature feature) => feature switch
    {
        LimineFeature.LoaderInfo => _block.Add(0, _block.Add("MiniVmm"), _block.Add(Version)),
        LimineFeature.CommandLine => _block.Add(0, Line),
        LimineFeature.FirmwareType => _block.Add(0, 0), // a BIOS
        LimineFeature.StackSize or LimineFeature.EntryPoint or LimineFeature.KeepIommu => _block.Add(0),
        LimineFeature.DirectMap => _block.Add(0, LimineLoader.DirectMap),
        LimineFeature.Framebuffer when Framebuffer is { } screen => AnswerFramebuffer(screen),
        LimineFeature.PagingMode => _block.Add(0, 0), // four levels
        LimineFeature.Processors => AnswerProcessors(),
        LimineFeature.MemoryMap => AnswerMemoryMap(),
        LimineFeature.KernelFile when File is { } file => _block.Add(0, AddFile(file, request.ToldName ?? request.KernelName, Line)),
        LimineFeature.Modules => AnswerModules(),
        // Base revision 3 alone has it physical.
        LimineFeature.RootPointer => _block.Add(0, revision == 3 ? Rsdp : LimineLoader.DirectMap + Rsdp),
        LimineFeature.Date => _block.Add(0, (ulong)request.Started.ToUnixTimeSeconds()),
        LimineFeature.KernelAddress => _block.Add(0, image.PhysicalBase, image.VirtualBase),
        _ => null,
    };

    /// <summary>The pointer to the command line, which two answers have: it is there once.</summary>
    private ulong Line => _line ??= _block.Add(request.CommandLine);

    private static string Version => typeof(LimineHandover).Assembly.GetName().Version?.ToString(3) ?? "";

    private ulong AnswerMemoryMap()
    {
        List<LimineMemoryEntry> map = LimineMemory.Map(plan, Kept, Framebuffer, revision);
        ulong table = _block.AddTable(map.Select(entry => _block.Add(entry.Range.Start, entry.Range.Length, (ulong)entry.Type)).ToArray());
        return _block.Add(0, (ulong)map.Count, table);
    }

    private ulong AnswerFramebuffer(FramebufferInfo screen)
    {
        const ulong rgb = 1;
        ulong colours = FramebufferInfo.BitsPerPixel | rgb << 16
            | (ulong)FramebufferInfo.ColourBits << 24 | (ulong)FramebufferInfo.RedPosition << 32
            | (ulong)FramebufferInfo.ColourBits << 40 | (ulong)FramebufferInfo.GreenPosition << 48
            | (ulong)FramebufferInfo.ColourBits << 56;
        ulong structure = _block.Add(
            LimineLoader.DirectMap + screen.Address, (ulong)screen.Width, (ulong)screen.Height, (ulong)screen.Pitch, colours,
            FramebufferInfo.BluePosition, 0, 0); // no EDID
        return _block.Add(0, 1, _block.AddTable([structure]));
    }

    private ulong AnswerModules()
    {
        ulong[] files = [.. Modules.Select(module => AddFile(module.Range, module.File.Path, _block.Add(module.File.Words)))];
        return _block.Add(1, (ulong)files.Length, _block.AddTable(files)); // revision 1: the executable may name some itself
    }

    private ulong AnswerProcessors()
    {
        ulong[] infos = [.. Cpus.Select((cpu, uid) => _block.Add((uint)uid | (ulong)cpu.ApicId << 32, 0, 0, 0))];
        ulong table = _block.AddTable(infos);
        ParkingCode = _block.Add(ParkingLoop);
        Parking = infos[1..];
        // x2APIC stays off; the boot processor's id is the upper half of the second word.
        return _block.Add(0, (ulong)Cpus[0].ApicId << 32, (ulong)infos.Length, table);
    }

    /// <param name="range">Where the file lies.</param>
    /// <param name="path">Its name.</param>
    /// <param name="words">The pointer to what is said of it.</param>
    private ulong AddFile(GuestRange range, string path, ulong words)
    {
        ulong name = _block.Add("/" + path.TrimStart('/'));
        // Generic media; no network, partition or UUIDs.
        return _block.Add(0, LimineLoader.DirectMap + range.Start, range.Length, name, words, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    }
}
