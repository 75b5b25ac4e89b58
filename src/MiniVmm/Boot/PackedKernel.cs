using MiniVmm.Boot.Payload;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>A kernel file that is compressed as a whole: unpacked, then loaded like any other.</summary>
internal static class PackedKernel
{
    /// <param name="request">Its kernel is compressed.</param>
    /// <param name="codec">The codec, by the file's first bytes.</param>
    /// <exception cref="BadInputException">
    /// It does not unpack, to more than the guest's RAM holds, or to something that cannot be loaded.
    /// </exception>
    public static BootImage Load(BootRequest request, PayloadCodec codec)
    {
        string name = request.KernelName;
        string codecName = PayloadCodecs.Name(codec);
        // One byte over the limit shows that there is more.
        int largest = (int)Math.Min(request.Memory.Size, int.MaxValue - 1);
        NativeBuffer unpacked;
        try
        {
            PayloadCodecs.RequireKnown(codec, request.Kernel.Span);
            unpacked = StreamDecompressors.Unpack(codec, request.Kernel.Span, largest + 1);
        }
        catch (PayloadException refusal)
        {
            throw new BadInputException($"{name}: compressed with {refusal.Message}; unpack it yourself", refusal);
        }

        try
        {
            if (unpacked.Length > largest)
            {
                throw new BadInputException(
                    $"{name}: compressed with {codecName}, and unpacked more than {ByteSize.Format((ulong)largest)}, " +
                    $"which the guest's RAM does not hold; give it more with {OptionName.Mem}");
            }

            BootImage image = BootLoader.LoadUnpacked(request with { Kernel = unpacked.Memory }, codecName);
            string note = $"unpacked by MiniVmm: {codecName}, {MiB(request.Kernel.Length)} → {MiB(unpacked.Length)}";
            return image with { Notes = [note, .. image.Notes], Unpacked = [.. image.Unpacked, unpacked] };
        }
        catch
        {
            unpacked.Dispose();
            throw;
        }
    }

    private static string MiB(long bytes) => $"{bytes / (double)MemoryLayout.MiB:0.0} MiB";
}
