namespace MiniVmm.Boot.Payload;

/// <summary>The old .lzma file: properties, dictionary size, unpacked size, one LZMA stream.</summary>
internal static class LzmaAlone
{
    private const int HeaderSize = 13;

    /// <exception cref="InvalidDataException">A broken stream.</exception>
    public static int Decompress(ReadOnlySpan<byte> input, Span<byte> output)
    {
        if (input.Length < HeaderSize)
            throw new InvalidDataException("the .lzma header is cut off");
        // The dictionary and unpacked sizes do not matter: the output is the dictionary, and its size is known.
        LzmaDecoder decoder = new(input, output);
        decoder.SetProperties(input[0]);
        decoder.ResetState();
        decoder.InputPosition = HeaderSize;
        decoder.StartRangeCoder(input.Length);
        decoder.Decode(output.Length);
        return decoder.OutputPosition;
    }
}
