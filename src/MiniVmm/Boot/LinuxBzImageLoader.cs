using MiniVmm.Boot.Payload;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// A compressed Linux kernel, or a program in that form. If it has a 64-bit entry and MiniVmm knows the payload's
/// codec, MiniVmm unpacks the kernel itself and enters it directly, which spares the guest that work; else the kernel's
/// own stub does it, entered at its 64-bit entry or, if it has none, at its 32-bit one.
/// </summary>
internal static class LinuxBzImageLoader
{
    /// <summary>The stub's 64-bit entry, from the start of the protected-mode part.</summary>
    private const ulong StubEntry64 = 0x200;

    /// <exception cref="BadInputException">Broken, too old, or too large for the guest.</exception>
    public static BootImage Load(BootRequest request)
    {
        string name = request.KernelName;
        LinuxSetupHeader header = LinuxSetupHeader.Read(name, request.Kernel.Span);
        ReadOnlyMemory<byte> protectedMode = ProtectedModePart(name, request.Kernel, header);
        List<string> notes = [];
        if (header.VersionText.Length > 0)
            notes.Add($"version: {header.VersionText}");
        if (!header.Has64BitEntry)
        {
            notes.Add("no 64-bit entry: the kernel's own stub is entered in 32-bit mode");
            return LoadStub(request, header, protectedMode, notes);
        }

        if (request.Decompression == Decompression.Guest)
        {
            notes.Add("payload: left to the kernel's own stub, as asked");
            return LoadStub(request, header, protectedMode, notes);
        }

        NativeBuffer? unpacked = null;
        try
        {
            KernelPayload payload = KernelPayload.Locate(header, protectedMode);
            unpacked = payload.Unpack(request.Memory.LowRamEnd);
            BootImage image = LoadUnpacked(request, header, payload, unpacked, notes);
            unpacked = null;
            return image;
        }
        catch (PayloadException refusal)
        {
            notes.Add($"payload: {refusal.Message}; left to the kernel's own stub");
        }
        finally
        {
            unpacked?.Dispose();
        }

        return LoadStub(request, header, protectedMode, notes);
    }

    private static ReadOnlyMemory<byte> ProtectedModePart(
        string name, ReadOnlyMemory<byte> file, LinuxSetupHeader header)
    {
        int start = header.ProtectedModeOffset;
        if (start >= file.Length)
        {
            throw new BadInputException(
                $"{name}: setup_sects puts the protected-mode code at 0x{start:x}, past the end of the file " +
                $"(0x{file.Length:x})");
        }

        ulong available = (ulong)(file.Length - start);
        // syssize counts in 16 bytes, rounded up; a file that lacks more than the rounding is cut off.
        ulong size = header.ProtectedModeSize ?? available;
        if (size == 0 || (size > available && size - available >= 16))
        {
            throw new BadInputException(
                $"{name}: syssize says 0x{size:x} bytes of protected-mode code; the file has 0x{available:x}: " +
                "cut off?");
        }

        return file.Slice(start, (int)Math.Min(size, available));
    }

    private static BootImage LoadUnpacked(
        BootRequest request, LinuxSetupHeader header, KernelPayload payload, NativeBuffer unpacked, List<string> notes)
    {
        string name = $"{request.KernelName} (unpacked)";
        ElfFile elf;
        try
        {
            elf = ElfFile.Parse(name, unpacked.Memory);
        }
        catch (BadInputException refusal)
        {
            // The payload is not a kernel that can be entered directly; the stub may know what to do with it.
            throw new PayloadException($"{payload.Codec}, but no kernel inside ({refusal.Message})", refusal);
        }

        if (!elf.Is64)
            throw new PayloadException($"{payload.Codec}, with a 32-bit ELF file inside");

        LoadPlan plan = new(request.KernelName, request.Memory);
        ElfKernel.Place(plan, name, elf);
        ulong entry = ElfKernel.PhysicalEntry(name, elf);
        EntryTables tables = LinuxEntry.Complete(plan, request, header, entry, entry);
        notes.Add($"payload: {payload.Codec}, {MiB(payload.Length)} → {MiB(unpacked.Length)}, unpacked by MiniVmm; " +
            $"entering vmlinux at 0x{entry:x}");
        return tables.Image(plan, Format(header), notes, unpacked);
    }

    private static BootImage LoadStub(
        BootRequest request, LinuxSetupHeader header, ReadOnlyMemory<byte> protectedMode, List<string> notes)
    {
        string name = request.KernelName;
        LoadPlan plan = new(request.KernelName, request.Memory);
        ulong address = StubAddress(name, header);
        // The stub unpacks over and beyond itself: init_size bytes from where the kernel will run must stay free.
        ulong size = (ulong)protectedMode.Length;
        if (header.HasPreferredAddress && header.IsRelocatable)
        {
            size = Math.Max(size, header.InitSize);
        }
        else if (header.HasPreferredAddress)
        {
            // It runs at pref_address whatever it was loaded at, and may unpack right over its own start.
            ulong preferred = header.PreferredAddress;
            ulong end = unchecked(preferred + header.InitSize);
            if (end < preferred || preferred < address)
            {
                throw new BadInputException(
                    $"{name}: pref_address 0x{preferred:x} with init_size 0x{header.InitSize:x} is not valid");
            }

            size = Math.Max(size, end - address);
        }

        plan.Add("Linux kernel with init_size", address, protectedMode, size);
        ulong entry = StubEntry(name, header, address, (ulong)protectedMode.Length);
        EntryTables tables = LinuxEntry.Complete(plan, request, header, address, entry);
        return tables.Image(plan, Format(header), notes);
    }

    /// <summary>Where the protected-mode part goes.</summary>
    private static ulong StubAddress(string name, LinuxSetupHeader header)
    {
        if (!header.IsRelocatable)
            return MemoryLayout.HighMemory;
        ulong alignment = header.KernelAlignment;
        ulong address = header.HasPreferredAddress ? header.PreferredAddress : MemoryLayout.HighMemory;
        if (!ulong.IsPow2(alignment) || (header.HasPreferredAddress && address % alignment != 0))
        {
            throw new BadInputException(
                $"{name}: pref_address 0x{address:x} is not a multiple of kernel_alignment 0x{alignment:x}");
        }

        return (address + alignment - 1) & ~(alignment - 1);
    }

    /// <exception cref="BadInputException">The entry is not in the file.</exception>
    private static ulong StubEntry(string name, LinuxSetupHeader header, ulong address, ulong length)
    {
        if (header.Has64BitEntry)
        {
            return length > StubEntry64
                ? address + StubEntry64
                : throw new BadInputException(
                    $"{name}: 0x{length:x} bytes of protected-mode code hold no 64-bit entry at 0x200");
        }

        ulong entry = header.IsRelocatable ? address : header.Code32Start;
        return entry >= address && entry - address < length
            ? entry
            : throw BadInputException.OfNoKernel(
                $"{name}: code32_start 0x{entry:x} is not in the protected-mode code at 0x{address:x} (0x{length:x} " +
                "bytes), so there is no 32-bit entry: a program that starts in real mode needs a BIOS");
    }

    private static string Format(LinuxSetupHeader header) =>
        $"{(header.IsLinux ? "Linux bzImage" : "bzImage")} {LinuxSetupHeader.Dotted(header.Version)}, " +
        $"{(header.Has64BitEntry ? "64" : "32")}-bit entry";

    private static string MiB(long bytes) => $"{bytes / (double)MemoryLayout.MiB:0.0} MiB";
}
