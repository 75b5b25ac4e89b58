using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Memory;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

/// <summary>
/// Every content, out of a small domain, of a queue of four descriptors and of a table of two, against a plain model. A
/// descriptor that the model does not look at is not enumerated but filled with what would fail.
/// </summary>
public sealed unsafe class VirtqueueModelTests : IDisposable
{
    private const ulong Available = 0x100;
    private const ulong Used = 0x200;
    private const ulong Table = 0x400;
    private const ulong Buffer = 0x800;
    private const ulong RamEnd = 0x1000;
    private const ulong Huge = 0x1_0000_0000;
    private const uint HugeLength = 0xc000_0000;

    // Only an address: nobody looks at these bytes.
    private const long HugeHost = 0x7000_0000_0000;
    private readonly byte* _ram = (byte*)NativeMemory.AllocZeroed((nuint)RamEnd);

    public void Dispose() => NativeMemory.Free(_ram);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_queue_gives_the_chain_or_the_error_that_a_model_gives(bool indirect)
    {
        GuestMemory memory = new(
        [
            new RamSlot(new GuestRange(0, RamEnd), (nint)_ram),
            new RamSlot(new GuestRange(Huge, HugeLength), unchecked((nint)HugeHost)),
        ]);
        Virtqueue queue = new(memory, 4);
        using DescriptorChain chain = new(queue.LongestChain);
        VirtioFeatures features = indirect ? VirtioFeatures.IndirectDescriptors : VirtioFeatures.None;
        Odometer choices = new();
        Model model = new(choices, indirect);
        int chains = 0;
        HashSet<ChainError> errors = [];
        do
        {
            model.Walk();
            model.Store(_ram);
            *(ushort*)(_ram + Available + 2) = 1;
            *(ushort*)(_ram + Available + 4) = (ushort)model.Head;
            if (!queue.TryEnable(4, 0, Available, Used, features))
                Assert.Fail("not enabled");

            bool taken = queue.TryTake(chain);

            bool same = taken
                ? model.Errors.Count == 0 && chain.Head == model.Head && model.IsSame(chain, _ram)
                : model.Errors.Contains(queue.Error);
            if (!same)
                Assert.Fail($"{model}\ntaken: {taken}, {queue.Error}, {chain.Count} pieces");
            if (taken)
                chains++;
            else
                errors.Add(queue.Error);
        }
        while (choices.Next());

        Assert.InRange(chains, 500, int.MaxValue);
        Assert.Equal(
            [
                ChainError.HeadOutOfRange, ChainError.NextOutOfRange, ChainError.TooLong, ChainError.EmptyDescriptor,
                ChainError.ReadableAfterWritable, ChainError.TooManyBytes, ChainError.NotInRam, ChainError.BadIndirect,
            ],
            errors.Order());
    }

    /// <summary>Counts through all sequences of choices, each as long as it turns out to be.</summary>
    private sealed class Odometer
    {
        private readonly List<(int Digit, int Limit)> _digits = [];
        private int _at;

        public int Choose(int limit)
        {
            if (_at == _digits.Count)
                _digits.Add((0, limit));
            return _digits[_at++].Digit;
        }

        public bool Next()
        {
            _digits.RemoveRange(_at, _digits.Count - _at);
            _at = 0;
            while (_digits.Count > 0)
            {
                (int digit, int limit) = _digits[^1];
                _digits.RemoveAt(_digits.Count - 1);
                if (digit + 1 < limit)
                {
                    _digits.Add((digit + 1, limit));
                    return true;
                }
            }

            return false;
        }
    }

    private readonly record struct Content(ulong Address, uint Length, ushort Flags, ushort Next)
    {
        public bool Has(int flag) => (Flags & flag) != 0;

        public bool IsInRam => Address < RamEnd
            ? Length <= RamEnd - Address
            : Address >= Huge && Length <= HugeLength - (Address - Huge);
    }

    /// <summary>What virtio 1.2, 2.7.5 says of a chain, written down without a thought for speed.</summary>
    private sealed class Model(Odometer choices, bool indirect)
    {
        private readonly (ulong Address, uint Length)[] _queueKinds = indirect
            ? [(Table, 16), (Table, 32), (Table, 24), (Table, 0), (RamEnd - 8, 16), (Huge, 1025 * 16)]
            : [(Buffer, 16), (Buffer, 0), (RamEnd - 8, 16), (Huge, HugeLength)];

        private readonly (ulong Address, uint Length)[] _tableKinds =
            [(Buffer, 16), (Buffer, 0), (RamEnd - 8, 16), (Huge, HugeLength)];

        private readonly Content?[] _queue = new Content?[4];
        private readonly Content?[] _table = new Content?[2];
        private readonly List<Content> _pieces = [];

        public int Head { get; private set; }

        /// <summary>What may be said of the first thing that is wrong; empty for a good chain.</summary>
        public List<ChainError> Errors { get; } = [];

        public void Walk()
        {
            Array.Clear(_queue);
            Array.Clear(_table);
            _pieces.Clear();
            Errors.Clear();
            Head = indirect ? choices.Choose(2) * 4 : choices.Choose(5);
            if (Head >= 4)
            {
                Errors.Add(ChainError.HeadOutOfRange);
                return;
            }

            Content?[] at = _queue;
            int size = 4;
            int index = Head;
            int seen = 0;
            while (true)
            {
                if (at[index] is not null)
                {
                    // A loop is found in the end, or by what is wrong with a second round of it.
                    Errors.AddRange(
                        [ChainError.TooLong, ChainError.ReadableAfterWritable, ChainError.TooManyBytes]);
                    return;
                }

                Content content = Make(at == _table);
                at[index] = content;
                seen++;
                if (content.Has(TestDriver.Indirect))
                {
                    if (!indirect || at == _table || content.Has(TestDriver.Next) || content.Length == 0
                        || content.Length % 16 != 0 || content.Length / 16 > 1024)
                        Errors.Add(ChainError.BadIndirect);
                    else if (!content.IsInRam)
                        Errors.Add(ChainError.NotInRam);
                    if (Errors.Count != 0)
                        return;
                    at = _table;
                    size = (int)content.Length / 16;
                    index = 0;
                    seen = 0;
                    continue;
                }

                if (!IsGood(content))
                    return;
                _pieces.Add(content);
                if (!content.Has(TestDriver.Next))
                    return;
                index = content.Next;
                if (seen == size)
                    Errors.Add(ChainError.TooLong);
                if (index >= size)
                    Errors.Add(ChainError.NextOutOfRange);
                if (Errors.Count != 0)
                    return;
            }
        }

        public void Store(byte* ram)
        {
            // No bytes: an error, for a descriptor that nobody should look at.
            for (int i = 0; i < 4; i++)
                *(Content*)(ram + (16 * i)) = _queue[i] ?? default;
            for (int i = 0; i < 2; i++)
                *(Content*)(ram + Table + (16 * i)) = _table[i] ?? default;
        }

        public bool IsSame(DescriptorChain chain, byte* ram)
        {
            if (chain.Readable.Length + chain.Writable.Length != _pieces.Count)
                return false;
            for (int i = 0; i < _pieces.Count; i++)
            {
                Content piece = _pieces[i];
                bool writable = i >= chain.Readable.Length;
                IoVector actual = writable ? chain.Writable[i - chain.Readable.Length] : chain.Readable[i];
                byte* host = piece.Address < RamEnd ? ram + piece.Address : (byte*)HugeHost + (piece.Address - Huge);
                if (actual.Base != host || actual.Length != piece.Length || writable != piece.Has(TestDriver.Write))
                    return false;
            }

            ulong written = (ulong)_pieces.Where(piece => piece.Has(TestDriver.Write)).Sum(piece => piece.Length);
            ulong all = (ulong)_pieces.Sum(piece => piece.Length);
            return chain.WritableLength == written && chain.ReadableLength == all - written;
        }

        public override string ToString() =>
            $"head {Head}, {string.Join(", ", _queue)}; table {string.Join(", ", _table)}; expected "
            + (Errors.Count == 0 ? $"{_pieces.Count} pieces" : string.Join(" or ", Errors));

        private Content Make(bool inTable)
        {
            (ulong Address, uint Length)[] kinds = inTable ? _tableKinds : _queueKinds;
            (ulong address, uint length) = kinds[choices.Choose(kinds.Length)];
            ushort flags = (ushort)choices.Choose(8);

            // Where it should not be looked at, two of them will do.
            int next = (flags & TestDriver.Next) == 0 ? 4 * choices.Choose(2)
                : inTable ? choices.Choose(3)
                : indirect ? choices.Choose(3) switch { 2 => 4, int other => other }
                : choices.Choose(5);
            return new Content(address, length, flags, (ushort)next);
        }

        private bool IsGood(Content content)
        {
            if (content.Length == 0)
                Errors.Add(ChainError.EmptyDescriptor);
            if (!content.IsInRam)
                Errors.Add(ChainError.NotInRam);
            if (!content.Has(TestDriver.Write) && _pieces.Exists(piece => piece.Has(TestDriver.Write)))
                Errors.Add(ChainError.ReadableAfterWritable);
            if (_pieces.Sum(piece => piece.Length) + content.Length > uint.MaxValue)
                Errors.Add(ChainError.TooManyBytes);
            return Errors.Count == 0;
        }
    }
}
