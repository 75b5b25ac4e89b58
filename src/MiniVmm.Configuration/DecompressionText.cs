using MiniVmm.Boot;

namespace MiniVmm.Configuration;

/// <summary>Who unpacks a compressed kernel: <c>auto</c> or <c>guest</c>.</summary>
public static class DecompressionText
{
    /// <exception cref="BadInputException">Neither of them.</exception>
    public static Decompression Parse(string text) => text switch
    {
        "auto" => Decompression.Auto,
        "guest" => Decompression.Guest,
        _ => throw new BadInputException($"{OptionName.Decompress.With(text)}: write auto or guest"),
    };
}
