using MiniVmm.Boot.Payload;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>A file that is compressed as a whole, unpacked to no more than the guest's RAM holds.</summary>
internal static class PackedFile
{
    /// <summary>The most that a buffer holds, with one byte to spare that shows that there is more.</summary>
    private const ulong Largest = int.MaxValue - 1;

    /// <param name="name">The file, for errors.</param>
    /// <param name="codec">The codec, by its first bytes.</param>
    /// <param name="packed">Its bytes.</param>
    /// <param name="most">Bytes of RAM that there are for what comes out.</param>
    /// <param name="isKernel">Whether it is to be a kernel: a disk or a disc that is too large for one is then named for what it is.</param>
    /// <exception cref="BadInputException">It does not unpack, or to too much.</exception>
    public static NativeBuffer Unpack(string name, PayloadCodec codec, ReadOnlySpan<byte> packed, ulong most, bool isKernel)
    {
        int largest = (int)Math.Min(most, Largest);
        NativeBuffer unpacked;
        try
        {
            PayloadCodecs.RequireKnown(codec, packed);
            unpacked = StreamDecompressors.Unpack(codec, packed, largest + 1);
        }
        catch (PayloadException refusal)
        {
            // A boot loader of the image that it is on may know the codec.
            throw BadInputException.OfNoKernel($"{name}: compressed with {refusal.Message}", "; unpack it yourself", refusal);
        }

        if (unpacked.Length <= largest)
            return unpacked;
        using (unpacked)
            throw TooLarge(name, PayloadCodecs.Name(codec), unpacked.GetSpan(), most, isKernel);
    }

    /// <summary>The refusal of what unpacks to more.</summary>
    /// <param name="name">The file.</param>
    /// <param name="codec">The codec's name.</param>
    /// <param name="start">What came out of it.</param>
    /// <param name="most">Bytes that there were for it.</param>
    /// <param name="isKernel">Whether it was to be a kernel.</param>
    internal static BadInputException TooLarge(string name, string codec, ReadOnlySpan<byte> start, ulong most, bool isKernel)
    {
        bool mayBeKernel = ElfFile.HasMagic(start) || LinuxSetupHeader.HasMagic(start) || MultibootHeader.Find(start, out _) is not null
            || Multiboot2Header.Find(start, out _) is not null;
        if (isKernel && FileKind.Recognise(start) is { } kind && (kind.HoldsFiles || !mayBeKernel))
            return kind.Refuse(name, codec);
        return most > Largest
            ? new($"{name}: compressed with {codec}, and unpacked more than 2 GiB, which is the most that MiniVmm unpacks")
            : new($"{name}: compressed with {codec}, and unpacked more than {ByteSize.Format(most)}, which the guest's RAM does not hold; "
                + $"give it more with {OptionName.Mem}");
    }
}
