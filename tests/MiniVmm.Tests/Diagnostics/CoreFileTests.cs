using System.Buffers.Binary;
using MiniVmm.Diagnostics;
using MiniVmm.Tests.Inspection;

namespace MiniVmm.Tests.Diagnostics;

public sealed class CoreFileTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"minivmm-core-{Environment.ProcessId}-{Guid.NewGuid():N}");

    [Fact]
    public void Its_segments_find_RAM_by_linear_and_by_physical_address()
    {
        using Guest guest = new(0x0f, 0x0b);
        using (CoreFile file = CoreFile.Create(_path))
            file.Write([(0, guest.View), (1, guest.View)], guest.Memory);

        byte[] core = File.ReadAllBytes(_path);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(core.AsSpan(56));
        Assert.Equal(5, count); // notes, three ranges, RAM
        Assert.Equal([0x0f, 0x0b], core.AsSpan((int)Find(core, count, Guest.Code), 2).ToArray());
        Assert.Equal(2 * (20 + 336 + 20 + 440), (long)BinaryPrimitives.ReadUInt64LittleEndian(core.AsSpan(64 + 32)));
        Assert.True(core.Length >= (int)Guest.Size);
    }

    [Fact]
    public void A_machine_that_ended_well_leaves_none()
    {
        CoreFile.Create(_path).Dispose();

        Assert.False(File.Exists(_path));
    }

    [Fact]
    public void One_that_cannot_be_written_is_an_error_before_the_start()
    {
        BadInputException error = Assert.Throws<BadInputException>(() => CoreFile.Create("/nowhere/core"));

        Assert.StartsWith("Core /nowhere/core: cannot be written: ", error.Message, StringComparison.Ordinal);
    }

    public void Dispose() => File.Delete(_path);

    private static ulong Find(byte[] core, int count, ulong linear)
    {
        for (int i = 1; i < count; i++)
        {
            ReadOnlySpan<byte> segment = core.AsSpan(64 + i * 56, 56);
            ulong start = BinaryPrimitives.ReadUInt64LittleEndian(segment[16..]);
            if (linear - start < BinaryPrimitives.ReadUInt64LittleEndian(segment[40..]))
                return BinaryPrimitives.ReadUInt64LittleEndian(segment[8..]) + (linear - start);
        }

        throw new InvalidDataException($"no segment has 0x{linear:x}");
    }
}
