using MiniVmm.Boot;

namespace MiniVmm.Configuration;

/// <summary>What a kernel file is: <c>auto</c>, <c>flat16</c>, <c>flat32</c> or <c>flat64</c>.</summary>
public static class BinaryFormatText
{
    /// <exception cref="BadInputException">It is none of them.</exception>
    public static BinaryFormat Parse(string text) => text switch
    {
        "auto" => BinaryFormat.Auto,
        "flat16" => BinaryFormat.Flat16,
        "flat32" => BinaryFormat.Flat32,
        "flat64" => BinaryFormat.Flat64,
        _ => throw new BadInputException($"{OptionName.Format.With(text)}: use auto, flat16, flat32 or flat64"),
    };
}
