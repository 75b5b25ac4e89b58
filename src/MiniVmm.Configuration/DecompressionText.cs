using MiniVmm.Boot;

namespace MiniVmm.Configuration;

/// <summary>Who unpacks a compressed kernel: <c>auto</c> or <c>guest</c>.</summary>
public static class DecompressionText
{
    /// <exception cref="BadInputException">It is neither.</exception>
    public static Decompression Parse(string text) => text switch
    {
        "auto" => Decompression.Auto,
        "guest" => Decompression.Guest,
        _ => throw new BadInputException($"{OptionName.Decompress.With(text)}: use auto or guest"),
    };
}
