using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Virtio;

/// <summary>Guest RAM for tests: real bytes, with others around each slot that nobody may touch.</summary>
public sealed unsafe class TestMemory : IDisposable
{
    private const int GuardLength = 4096;
    private const byte Guard = 0xa5;
    private readonly List<(RamSlot Slot, nint Block)> _slots = [];
    private ulong _next;

    /// <summary>1 MiB from address 0 on.</summary>
    public TestMemory()
        : this((0UL, 1 << 20))
    {
    }

    public TestMemory(params (ulong Start, int Length)[] slots)
    {
        foreach ((ulong start, int length) in slots)
        {
            byte* block = (byte*)NativeMemory.AllocZeroed((nuint)length + (2 * GuardLength));
            new Span<byte>(block, GuardLength).Fill(Guard);
            new Span<byte>(block + GuardLength + length, GuardLength).Fill(Guard);
            _slots.Add((new RamSlot(new GuestRange(start, (ulong)length), (nint)(block + GuardLength)), (nint)block));
        }

        Memory = new GuestMemory(_slots.Select(slot => slot.Slot));

        // Address 0 is what a field has that nobody set: nothing is placed there.
        _next = Math.Max(Memory.Slots[0].Range.Start, 0x1000);
    }

    public GuestMemory Memory { get; }

    /// <summary>Hands out addresses of the first slot, one after the other; no two share 16 bytes.</summary>
    public ulong Allocate(int length, int alignment = 16)
    {
        ulong at = (_next + (ulong)alignment - 1) & ~((ulong)alignment - 1);
        Assert.True(Memory.TryResolve(at, (ulong)length, out _), $"the test's RAM has no {length} bytes left");
        _next = (at + (ulong)length + 15) & ~15UL;
        return at;
    }

    /// <summary>Places a copy of some bytes.</summary>
    public ulong Place(ReadOnlySpan<byte> bytes)
    {
        ulong at = Allocate(bytes.Length);
        bytes.CopyTo(Bytes(at, bytes.Length));
        return at;
    }

    public ulong Place<T>(in T value)
        where T : unmanaged
    {
        ulong at = Allocate(sizeof(T));
        Write(at, value);
        return at;
    }

    /// <summary>The guest's bytes themselves.</summary>
    public Span<byte> Bytes(ulong address, int length) =>
        new(Pointer(address, (ulong)length), length);

    public byte* Pointer(ulong address, ulong length = 1)
    {
        if (!Memory.TryResolve(address, length, out byte* host))
            throw new ArgumentOutOfRangeException(nameof(address), $"0x{address:x} is not in the test's RAM");
        return host;
    }

    public T Read<T>(ulong address)
        where T : unmanaged => Unsafe.ReadUnaligned<T>(Pointer(address, (ulong)sizeof(T)));

    public void Write<T>(ulong address, T value)
        where T : unmanaged => Unsafe.WriteUnaligned(Pointer(address, (ulong)sizeof(T)), value);

    /// <summary>Whether the bytes around every slot are as they were.</summary>
    public bool IsGuardIntact()
    {
        foreach ((RamSlot slot, nint block) in _slots)
        {
            ReadOnlySpan<byte> before = new((void*)block, GuardLength);
            ReadOnlySpan<byte> after = new((byte*)slot.Host + slot.Range.Length, GuardLength);
            if (before.ContainsAnyExcept(Guard) || after.ContainsAnyExcept(Guard))
                return false;
        }

        return true;
    }

    public void Dispose()
    {
        bool intact = IsGuardIntact();
        foreach ((_, nint block) in _slots)
            NativeMemory.Free((void*)block);
        _slots.Clear();
        Assert.True(intact, "bytes next to guest RAM were written");
    }
}
