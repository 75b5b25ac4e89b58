using System.Text;
using MiniVmm.Boot;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Machine;

/// <summary>A file that the guest's firmware, or the guest, finds by its name in QEMU's firmware configuration device.</summary>
/// <param name="Name">1 to 55 characters, as in "opt/org.example/answer"; names without "opt/" are QEMU's own.</param>
/// <param name="Path">A file of the host's with its bytes; null for <paramref name="Text"/>.</param>
/// <param name="Text">Its bytes, as a text in UTF-8 without a NUL.</param>
public sealed record FwCfgFile(string Name, string? Path, string? Text)
{
    /// <summary>Reads the files and adds them to what the machine itself tells.</summary>
    /// <exception cref="BadInputException">One cannot be read, or its name is taken.</exception>
    internal static void AddTo(FwCfgItems items, IEnumerable<FwCfgFile> files)
    {
        foreach (FwCfgFile file in files)
        {
            if (!items.TryAddFile(file.Name, file.Read()))
                throw new BadInputException($"{OptionName.FwCfg.With($"name={file.Name}")}: there is such a file already");
        }
    }

    private byte[] Read()
    {
        if (Path is null)
            return Encoding.UTF8.GetBytes(Text ?? "");
        using NativeBuffer bytes = InputFile.Read(Path, OptionName.FwCfg);
        return bytes.GetSpan().ToArray();
    }
}
