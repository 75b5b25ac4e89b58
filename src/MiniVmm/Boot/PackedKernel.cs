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
        NativeBuffer unpacked = PackedFile.Unpack(name, codec, request.Kernel.Span, request.Memory.Size, isKernel: true);
        try
        {
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
