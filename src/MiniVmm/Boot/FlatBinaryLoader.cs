using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// Files without any header, of which the user says what they are (<see cref="BinaryFormat"/>): loaded whole at one address
/// and entered there, or where told. Nothing is handed over but registers that are 0.
/// </summary>
internal static class FlatBinaryLoader
{
    /// <summary>What a BIOS leaves in DL: the first hard disk. Boot sectors look for it.</summary>
    private const ulong FirstHardDisk = 0x80;

    /// <exception cref="BadInputException">It does not fit where it is to lie, or is to be entered elsewhere.</exception>
    public static BootImage Load(BootRequest request)
    {
        string name = request.KernelName;
        BinaryFormat format = request.Format;
        string text = format.ToString().ToLowerInvariant();
        request.RefuseWhatNoProtocolCarries($"{OptionName.Format.With(text)}");
        ulong address = request.LoadAddress ?? (format == BinaryFormat.Flat16 ? MemoryLayout.BootSector : MemoryLayout.HighMemory);
        ulong entry = Entry(request, address);
        ulong limit = format == BinaryFormat.Flat16 ? MemoryLayout.HighMemory : LongModeTables.MappedEnd;
        if (entry >= limit)
        {
            throw new BadInputException(
                $"{OptionName.Format.With(text)}: the entry point 0x{entry:x} is not below 0x{limit:x}, out of reach in that mode");
        }

        LoadPlan plan = new(name, request.Memory);
        plan.Add("flat binary", address, request.Kernel, (ulong)request.Kernel.Length);
        EntryTables tables = format switch
        {
            BinaryFormat.Flat16 => EntryTables.PlaceForRealMode(plan, request, entry, FirstHardDisk),
            BinaryFormat.Flat32 => EntryTables.PlaceForMultiboot(plan, request, entry),
            _ => EntryTables.Place(plan, request, EntryMode.Long64, entry),
        };
        return tables.Image(plan, $"flat binary, {Mode(format)}", [$"loaded at 0x{address:x} and entered there or where told, with nothing handed over"]);
    }

    private static ulong Entry(BootRequest request, ulong address)
    {
        if (request.Entry is not { } choice)
            return address;
        if (choice.Address is not { } entry)
        {
            throw new BadInputException($"{OptionName.Entry.With(choice.Text)}: not an address; a flat binary is entered at one, " +
                $"as in 0x7c00");
        }

        return entry >= address && entry - address < (ulong)request.Kernel.Length
            ? entry
            : throw new BadInputException($"{OptionName.Entry.With(choice.Text)}: {request.KernelName} lies from 0x{address:x} to " +
                $"0x{address + (ulong)request.Kernel.Length - 1:x}");
    }

    private static string Mode(BinaryFormat format) => format switch
    {
        BinaryFormat.Flat16 => "real mode",
        BinaryFormat.Flat32 => "32-bit protected mode",
        _ => "long mode",
    };
}
