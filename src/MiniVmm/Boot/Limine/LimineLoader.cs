using System.Buffers.Binary;
using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Boot.Limine;

/// <summary>
/// 64-bit executables of the Limine boot protocol, base revisions 0 to 6: entered in long mode in the higher half, with a
/// direct map of memory and answers to their requests; where they ask for it, all processors wait in the same state.
/// </summary>
internal static class LimineLoader
{
    /// <summary>Where the direct map begins: the start of the higher half.</summary>
    public const ulong DirectMap = 0xffff_8000_0000_0000;

    private const ulong NewestRevision = 6;
    private const ulong LeastStack = 64 * MemoryLayout.KiB;
    private const ulong Page = 4 * MemoryLayout.KiB;

    /// <exception cref="BadInputException">A demand that cannot be met, or addresses that lie.</exception>
    public static BootImage Load(BootRequest request, ElfFile elf, LimineRequests requests)
    {
        if (!elf.Is64)
            throw new BadInputException($"{request.KernelName}: a 32-bit ELF file with requests of the Limine protocol, which is for 64-bit ones");
        LoadPlan plan = new(request.KernelName, request.Memory);
        LimineImage image = LimineImage.Place(plan, request.KernelName, elf);
        try
        {
            return Complete(request, elf, requests, plan, image);
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    private static BootImage Complete(
        BootRequest request, ElfFile elf, LimineRequests requests, LoadPlan plan, LimineImage image)
    {
        string name = request.KernelName;
        ulong revision = SetRevision(requests, image);
        RequirePaging(name, requests, image);
        FirmwarePlaces firmware = request.Firmware.Place(plan);
        ulong end = image.PhysicalBase + image.Size;
        List<PlacedModule> modules = PlacedModule.Place(plan, request, LimineModules.Find(request, requests, image).Concat(request.Initrds).Concat(request.Modules), end);
        GuestRange? file = requests.All.ContainsKey(LimineFeature.KernelFile) ? PlaceFile(plan, request, end) : null;

        FirmwareCpu[] cpus = requests.All.ContainsKey(LimineFeature.Processors)
            ? [.. request.Firmware.Cpus.All.Where(cpu => cpu.Present)]
            : [request.Firmware.Cpus.All[0]];
        ulong stackSize = StackSize(requests, image);
        ulong stacks = Take(plan, name, "Limine stacks", stackSize, (ulong)cpus.Length);
        LoadSegment gdt = FlatGdt.BuildLimine(Take(plan, name, FlatGdt.LimineName, FlatGdt.LimineSize));
        plan.Fill(gdt.Address, gdt.Data);
        FramebufferInfo? framebuffer =
            requests.All.ContainsKey(LimineFeature.Framebuffer) ? request.Framebuffer?.Choose(0, 0) : null;
        ulong tables = PlaceTables(plan, name, image, framebuffer, revision);

        LimineHandover handover = new(request, requests, image, plan, revision)
        {
            Modules = modules,
            File = file,
            Cpus = cpus,
            Framebuffer = framebuffer,
            Rsdp = firmware.Rsdp,
            Kept = [new(image.PhysicalBase, image.Size), .. modules.Select(module => module.Range), .. file is { } own ? [own] : Array.Empty<GuestRange>()],
        };
        handover.Place(size => Take(plan, name, "Limine responses", size));

        EntryState entry = new(EntryMode.Long64, Entry(name, elf, requests, image))
        {
            PageTable = tables,
            Gdt = new(DirectMap + gdt.Address, gdt.MemorySize),
            CodeSelector = FlatGdt.LimineCodeSelector,
            DataSelector = FlatGdt.LimineDataSelector,
            ProtectsPages = true,
            Rsp = Top(0),
        };
        return new()
        {
            Format = $"Limine protocol, base revision {revision}, ELF64",
            Segments = plan.Segments,
            Memory = plan.Memory,
            Entry = entry,
            OtherEntries = [.. handover.Parking.Select((info, i) => entry with
            {
                Rip = handover.ParkingCode, Rdi = info, Rsp = Top((ulong)i + 1),
            })],
            MasksInterrupts = true,
            Framebuffer = framebuffer,
            Firmware = firmware,
            Notes = [.. handover.Notes, .. plan.Moves],
            Unpacked = [image],
        };

        // A return address of 0 lies on each stack: its memory is.
        ulong Top(ulong cpu) => DirectMap + stacks + (cpu + 1) * stackSize - sizeof(ulong);
    }

    /// <summary>Answers the base revision's tag.</summary>
    /// <returns>The revision that counts.</returns>
    private static ulong SetRevision(LimineRequests requests, LimineImage image)
    {
        if (requests.BaseRevisionTag is not { } tag || !image.TryGet(tag, 24, out Span<byte> words))
            return 0;
        ulong wanted = BinaryPrimitives.ReadUInt64LittleEndian(words[16..]);
        ulong revision = Math.Min(wanted, NewestRevision);
        BinaryPrimitives.WriteUInt64LittleEndian(words[8..], revision);
        // A tag that keeps its number tells the executable that it is not what it asked for.
        if (wanted == revision)
            BinaryPrimitives.WriteUInt64LittleEndian(words[16..], 0);
        return revision;
    }

    /// <summary>Four levels are all that there is: a CPU model may have no more.</summary>
    private static void RequirePaging(string name, LimineRequests requests, LimineImage image)
    {
        const int revisionAt = 32, leastMode = 64;
        if (requests.All.TryGetValue(LimineFeature.PagingMode, out ulong at) && image.TryGet(at, leastMode + 8, out Span<byte> request)
            && BinaryPrimitives.ReadUInt64LittleEndian(request[revisionAt..]) >= 1
            && BinaryPrimitives.ReadUInt64LittleEndian(request[leastMode..]) != 0)
            throw BadInputException.OfNoKernel($"{name}: a Limine executable that needs page tables of five levels; MiniVmm enters it with four");
    }

    private static ulong StackSize(LimineRequests requests, LimineImage image)
    {
        ulong size = requests.All.TryGetValue(LimineFeature.StackSize, out ulong at)
            && image.TryGet(at, LimineRequests.RequestSize + 8, out Span<byte> request)
                ? BinaryPrimitives.ReadUInt64LittleEndian(request[LimineRequests.RequestSize..])
                : 0;
        // More than any RAM is refused where it is placed.
        size = Math.Clamp(size, LeastStack, 1UL << 40);
        return (size + Page - 1) & ~(Page - 1);
    }

    private static ulong Entry(string name, ElfFile elf, LimineRequests requests, LimineImage image)
    {
        // The pointer in a request was relocated with the executable.
        ulong entry = requests.All.TryGetValue(LimineFeature.EntryPoint, out ulong at)
            && image.TryGet(at, LimineRequests.RequestSize + 8, out Span<byte> request)
                ? BinaryPrimitives.ReadUInt64LittleEndian(request[LimineRequests.RequestSize..])
                : image.Moved(elf.Entry);
        return image.Contains(entry)
            ? entry
            : throw new BadInputException($"{name}: the entry point 0x{entry:x} is not in what is loaded");
    }

    private static GuestRange PlaceFile(LoadPlan plan, BootRequest request, ulong floor)
    {
        ulong length = (ulong)request.Kernel.Length;
        ulong address = plan.TryPlaceLowest("executable file", request.Kernel, floor, request.Memory.LowRamEnd)
            ?? throw new BadInputException($"{request.KernelName}: asks for its own file, for whose {length} bytes there is no RAM" +
                $"{plan.MemoryAdvice(floor + length)}");
        return new(address, length);
    }

    /// <summary>Takes pages at the top of low RAM, out of the way of a kernel that grows upwards.</summary>
    private static ulong Take(LoadPlan plan, string name, string what, ulong size, ulong count = 1)
    {
        ulong? address = size > plan.Memory.LowRamEnd / count
            ? null
            : plan.HighestFree((size * count + Page - 1) & ~(Page - 1), Page, MemoryLayout.HighMemory, plan.Memory.LowRamEnd);
        if (address is not { } found)
        {
            throw new BadInputException($"{name}: the executable leaves no RAM for the {what} ({count} of {size} bytes); give the " +
                $"guest more with {OptionName.Mem}");
        }

        plan.Add(what, found, default, size * count);
        return found;
    }

    private static ulong PlaceTables(
        LoadPlan plan, string name, LimineImage image, FramebufferInfo? framebuffer, ulong revision)
    {
        const string what = "Limine page tables";
        ulong size = Build(0).Size;
        ulong address = Take(plan, name, what, size);
        plan.Fill(address, Build(address).ToArray());
        return address;

        PageTableBuilder Build(ulong at)
        {
            PageTableBuilder tables = new(at);
            foreach (GuestRange range in LimineMemory.Mapped(plan.Memory, revision))
                tables.Map(DirectMap + range.Start, range.Start, range.Length, PageRights.Write | PageRights.Execute);
            if (framebuffer is not null)
            {
                tables.Map(
                    DirectMap + framebuffer.Address, framebuffer.Address, (ulong)framebuffer.Length,
                    PageRights.Write | PageRights.Execute);
            }

            if (revision == 0)
            {
                foreach (GuestRange range in LimineMemory.Mapped(plan.Memory, revision))
                {
                    ulong start = Math.Max(range.Start, Page);
                    tables.Map(start, start, range.End - start, PageRights.Write | PageRights.Execute);
                }
            }

            foreach (LimineImage.Part part in image.Parts)
            {
                PageRights rights = (part.Header.IsExecutable ? PageRights.Execute : 0) | (part.Header.IsWritable ? PageRights.Write : 0);
                tables.Map(part.Virtual, image.PhysicalBase + (part.Virtual - image.VirtualBase), part.Header.MemorySize, rights);
            }

            return tables;
        }
    }
}
