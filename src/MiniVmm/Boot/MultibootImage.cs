namespace MiniVmm.Boot;

/// <summary>The part of a file that a header's address fields say to load.</summary>
/// <param name="Address">Physical address of its first byte, as the header has it.</param>
/// <param name="Data">The bytes of the file.</param>
/// <param name="MemorySize">Bytes of memory with the .bss behind them.</param>
internal readonly record struct MultibootImage(ulong Address, ReadOnlyMemory<byte> Data, ulong MemorySize)
{
    /// <summary>load_addr of multiboot 2 for "from the start of the file" (Multiboot 2.0, 3.1.6).</summary>
    public const uint FromStartOfFile = uint.MaxValue;

    /// <summary>
    /// Reads the address fields: where in the file the image starts follows from where the header was found
    /// (Multiboot 0.6.96, 3.1.3; Multiboot 2.0, 3.1.6).
    /// </summary>
    /// <param name="name">Kernel file, for errors.</param>
    /// <param name="protocol">"multiboot" or "multiboot 2", for errors.</param>
    /// <param name="file">Its bytes.</param>
    /// <param name="headerOffset">Where in it the header is.</param>
    /// <param name="at">The fields.</param>
    /// <exception cref="BadInputException">Addresses that do not fit each other or the file.</exception>
    public static MultibootImage Find(
        string name, string protocol, ReadOnlyMemory<byte> file, int headerOffset, in MultibootAddresses at)
    {
        ulong loadAddress = at.LoadAddress;
        if (at.HeaderAddress < loadAddress || at.HeaderAddress - loadAddress > (uint)headerOffset)
        {
            throw new BadInputException(
                $"{name}: {protocol} header_addr 0x{at.HeaderAddress:x} and load_addr 0x{loadAddress:x} do not " +
                $"fit a header at 0x{headerOffset:x} in the file");
        }

        int start = headerOffset - (int)(at.HeaderAddress - loadAddress);
        ulong loadSize = (ulong)(file.Length - start);
        if (at.LoadEndAddress != 0)
        {
            if (at.LoadEndAddress < loadAddress || at.LoadEndAddress - loadAddress > loadSize)
            {
                throw new BadInputException(
                    $"{name}: {protocol} load_end_addr 0x{at.LoadEndAddress:x} with load_addr 0x{loadAddress:x}: " +
                    $"the file has 0x{loadSize:x} bytes from there on");
            }

            loadSize = at.LoadEndAddress - loadAddress;
        }

        ulong memorySize = loadSize;
        if (at.BssEndAddress != 0)
        {
            if (at.BssEndAddress < loadAddress + loadSize)
            {
                throw new BadInputException(
                    $"{name}: {protocol} bss_end_addr 0x{at.BssEndAddress:x} lies before the end of the loaded " +
                    $"part, 0x{loadAddress + loadSize:x}");
            }

            memorySize = at.BssEndAddress - loadAddress;
        }

        return new(loadAddress, file.Slice(start, (int)loadSize), memorySize);
    }

    /// <summary>
    /// The same where load_addr may be <see cref="FromStartOfFile"/>: then the header's address says where the file lies.
    /// </summary>
    /// <inheritdoc cref="Find"/>
    public static MultibootImage FindFromStart(
        string name, string protocol, ReadOnlyMemory<byte> file, int headerOffset, in MultibootAddresses at)
    {
        if (at.LoadAddress != FromStartOfFile)
            return Find(name, protocol, file, headerOffset, at);
        return at.HeaderAddress >= (uint)headerOffset
            ? Find(name, protocol, file, headerOffset, at with { LoadAddress = at.HeaderAddress - (uint)headerOffset })
            : throw new BadInputException(
                $"{name}: {protocol} header_addr 0x{at.HeaderAddress:x} is less than the header's place in the file, " +
                $"0x{headerOffset:x}, and load_addr says that all of the file is loaded");
    }

    /// <exception cref="BadInputException">The physical address is not in the file's part of the image.</exception>
    public void RequireLoaded(string name, string field, ulong entry)
    {
        if (entry < Address || entry - Address >= (ulong)Data.Length)
            throw new BadInputException($"{name}: {field} 0x{entry:x} is not in the loaded part of the file");
    }
}
