namespace MiniVmm.Boot.Payload;

/// <summary>
/// An LZMA decoder whose output is its dictionary: nothing is copied and no window is allocated, where a library's
/// takes another 32 MiB or more for a kernel (Igor Pavlov, "LZMA specification", lzma-specification.txt).
/// </summary>
internal ref struct LzmaDecoder
{
    private const int ProbabilityBits = 11;
    private const ushort Even = 1 << (ProbabilityBits - 1);
    private const int AdaptShift = 5;
    private const uint TopValue = 1u << 24;

    private const int States = 12;
    private const int PositionStates = 1 << 4;
    private const int MinimumMatch = 2;

    // One array of probabilities; these are the places of its parts.
    private const int IsMatch = 0;
    private const int IsRep = IsMatch + States * PositionStates;
    private const int IsRepG0 = IsRep + States;
    private const int IsRepG1 = IsRepG0 + States;
    private const int IsRepG2 = IsRepG1 + States;
    private const int IsRep0Long = IsRepG2 + States;
    private const int PositionSlot = IsRep0Long + States * PositionStates;
    private const int PositionSpecial = PositionSlot + 4 * 64;
    private const int PositionAlign = PositionSpecial + 1 + 128 - 14;
    private const int MatchLength = PositionAlign + 16;
    private const int RepLength = MatchLength + LengthSize;
    private const int Literal = RepLength + LengthSize;
    private const int LiteralSize = 0x300;

    // Parts of a length coder.
    private const int Choice = 0;
    private const int Choice2 = 1;
    private const int Low = 2;
    private const int Mid = Low + PositionStates * 8;
    private const int High = Mid + PositionStates * 8;
    private const int LengthSize = High + 256;

    private readonly ReadOnlySpan<byte> _input;
    private readonly Span<byte> _output;
    private ushort[] _probabilities;
    private int _inputEnd;
    private uint _range;
    private uint _code;
    private int _state;
    private uint _rep0;
    private uint _rep1;
    private uint _rep2;
    private uint _rep3;
    private int _literalContextBits;
    private int _literalPositionMask;
    private int _positionMask;
    private int _dictionaryStart;

    public LzmaDecoder(ReadOnlySpan<byte> input, Span<byte> output)
    {
        _input = input;
        _output = output;
        _probabilities = [];
    }

    /// <summary>Next byte of input.</summary>
    public int InputPosition { get; set; }

    /// <summary>Bytes of output so far.</summary>
    public int OutputPosition { get; set; }

    /// <summary>Takes the properties byte: lc + 9 × (lp + 5 × pb).</summary>
    /// <exception cref="InvalidDataException">Out of range.</exception>
    public void SetProperties(byte properties)
    {
        if (properties >= 9 * 5 * 5)
            throw new InvalidDataException($"LZMA properties 0x{properties:x}");
        int literalContext = properties % 9;
        int literalPosition = properties / 9 % 5;
        _literalContextBits = literalContext;
        _literalPositionMask = (1 << literalPosition) - 1;
        _positionMask = (1 << (properties / 45)) - 1;
        int size = Literal + (LiteralSize << (literalContext + literalPosition));
        if (_probabilities.Length != size)
            _probabilities = new ushort[size];
    }

    /// <summary>Forgets all output so far: matches reach back to here at most.</summary>
    public void ResetDictionary() => _dictionaryStart = OutputPosition;

    /// <summary>Forgets all statistics.</summary>
    public void ResetState()
    {
        _probabilities.AsSpan().Fill(Even);
        _state = 0;
        _rep0 = _rep1 = _rep2 = _rep3 = 0;
    }

    /// <summary>Reads the range coder's first five bytes.</summary>
    /// <param name="inputEnd">End of the coder's input.</param>
    /// <exception cref="InvalidDataException">Too short, or not such bytes.</exception>
    public void StartRangeCoder(int inputEnd)
    {
        _inputEnd = inputEnd;
        _range = uint.MaxValue;
        _code = 0;
        if (NextByte() != 0)
            throw new InvalidDataException("the first byte of an LZMA stream is not 0");
        for (int i = 0; i < 4; i++)
            _code = (_code << 8) | NextByte();
    }

    /// <summary>Whether the range coder ended as an encoder leaves it; a damaged stream hardly ever does.</summary>
    public readonly bool IsRangeCoderFinished => _code == 0;

    /// <summary>Decodes until the output reaches <paramref name="limit"/> or an end marker comes.</summary>
    /// <exception cref="InvalidDataException">A broken stream.</exception>
    public void Decode(int limit)
    {
        while (OutputPosition < limit)
        {
            int position = OutputPosition - _dictionaryStart;
            int positionState = position & _positionMask;
            if (Bit(IsMatch + _state * PositionStates + positionState) == 0)
            {
                DecodeLiteral(position);
                continue;
            }

            int length;
            if (Bit(IsRep + _state) == 0)
            {
                _rep3 = _rep2;
                _rep2 = _rep1;
                _rep1 = _rep0;
                length = DecodeLength(MatchLength, positionState);
                _state = _state < 7 ? 7 : 10;
                _rep0 = DecodeDistance(length);
                if (_rep0 == uint.MaxValue)
                    return;
            }
            else if (IsShortRepeat(positionState))
            {
                _state = _state < 7 ? 9 : 11;
                CopyMatch(1, limit);
                continue;
            }
            else
            {
                length = DecodeLength(RepLength, positionState);
                _state = _state < 7 ? 8 : 11;
            }

            CopyMatch(length + MinimumMatch, limit);
        }
    }

    // A match at one of the last four distances, which comes to the front; true for one byte at the last of them.
    private bool IsShortRepeat(int positionState)
    {
        if (Bit(IsRepG0 + _state) == 0)
            return Bit(IsRep0Long + _state * PositionStates + positionState) == 0;

        uint distance;
        if (Bit(IsRepG1 + _state) == 0)
        {
            distance = _rep1;
        }
        else
        {
            if (Bit(IsRepG2 + _state) == 0)
            {
                distance = _rep2;
            }
            else
            {
                distance = _rep3;
                _rep3 = _rep2;
            }

            _rep2 = _rep1;
        }

        _rep1 = _rep0;
        _rep0 = distance;
        return false;
    }

    private void DecodeLiteral(int position)
    {
        int previous = position == 0 ? 0 : _output[OutputPosition - 1];
        int context = (position & _literalPositionMask) << _literalContextBits;
        context += previous >> (8 - _literalContextBits);
        int tree = Literal + LiteralSize * context;
        int symbol = 1;
        if (_state >= 7)
        {
            // After a match the byte that it would have gone on with is context too, as long as the bits agree.
            int match = _output[MatchSource()];
            do
            {
                int matchBit = (match >> 7) & 1;
                match <<= 1;
                int bit = Bit(tree + ((1 + matchBit) << 8) + symbol);
                symbol = (symbol << 1) | bit;
                if (matchBit != bit)
                    break;
            }
            while (symbol < 0x100);
        }

        while (symbol < 0x100)
            symbol = (symbol << 1) | Bit(tree + symbol);
        _output[OutputPosition++] = (byte)symbol;
        _state = _state < 4 ? 0 : _state < 10 ? _state - 3 : _state - 6;
    }

    private int DecodeLength(int coder, int positionState)
    {
        if (Bit(coder + Choice) == 0)
            return Tree(coder + Low + positionState * 8, 3);
        if (Bit(coder + Choice2) == 0)
            return 8 + Tree(coder + Mid + positionState * 8, 3);
        return 16 + Tree(coder + High, 8);
    }

    private uint DecodeDistance(int length)
    {
        int slot = Tree(PositionSlot + Math.Min(length, 3) * 64, 6);
        if (slot < 4)
            return (uint)slot;
        int bits = (slot >> 1) - 1;
        uint distance = (2u | ((uint)slot & 1)) << bits;
        if (slot < 14)
            return distance + ReverseTree(PositionSpecial + (int)distance - slot, bits);
        distance += DirectBits(bits - 4) << 4;
        return distance + ReverseTree(PositionAlign, 4);
    }

    // Where the byte at distance rep0 is.
    private readonly int MatchSource() => _rep0 < (uint)(OutputPosition - _dictionaryStart)
        ? OutputPosition - (int)_rep0 - 1
        : throw new InvalidDataException("an LZMA match reaches back before the start");

    private void CopyMatch(int length, int limit)
    {
        int source = MatchSource();
        if (length > limit - OutputPosition)
            throw new InvalidDataException("an LZMA match runs past the end");
        int distance = OutputPosition - source;
        if (distance >= length)
        {
            _output.Slice(source, length).CopyTo(_output[OutputPosition..]);
        }
        else
        {
            // Overlapping: what is copied is copied again.
            for (int i = 0; i < length; i++)
                _output[OutputPosition + i] = _output[source + i];
        }

        OutputPosition += length;
    }

    private int Tree(int tree, int bits)
    {
        int symbol = 1;
        for (int i = 0; i < bits; i++)
            symbol = (symbol << 1) | Bit(tree + symbol);
        return symbol - (1 << bits);
    }

    private uint ReverseTree(int tree, int bits)
    {
        int node = 1;
        uint symbol = 0;
        for (int i = 0; i < bits; i++)
        {
            int bit = Bit(tree + node);
            node = (node << 1) | bit;
            symbol |= (uint)bit << i;
        }

        return symbol;
    }

    private uint DirectBits(int count)
    {
        uint result = 0;
        for (int i = 0; i < count; i++)
        {
            _range >>= 1;
            uint bit = _code >= _range ? 1u : 0u;
            _code -= _range & (0 - bit);
            result = (result << 1) | bit;
            Normalise();
        }

        return result;
    }

    private int Bit(int index)
    {
        ref ushort probability = ref _probabilities[index];
        uint value = probability;
        uint bound = (_range >> ProbabilityBits) * value;
        int bit;
        if (_code < bound)
        {
            _range = bound;
            probability = (ushort)(value + (((1u << ProbabilityBits) - value) >> AdaptShift));
            bit = 0;
        }
        else
        {
            _range -= bound;
            _code -= bound;
            probability = (ushort)(value - (value >> AdaptShift));
            bit = 1;
        }

        Normalise();
        return bit;
    }

    private void Normalise()
    {
        if (_range >= TopValue)
            return;
        _range <<= 8;
        _code = (_code << 8) | NextByte();
    }

    private byte NextByte() => InputPosition < _inputEnd
        ? _input[InputPosition++]
        : throw new InvalidDataException("the LZMA stream ends too early");
}
