using System.Buffers.Binary;
using System.Text;
using MiniVmm.Devices;
using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Firmware;

/// <summary>The script with the ACPI tables, run as firmware runs it.</summary>
public sealed class TableLoaderTests
{
    private static readonly FirmwareCpus Cpus = new([new(0, true), new(1, true)]);
    private static readonly PciRoot Pci = new(null, new(0xc000, 0x4000), new(0x8000_0000, 0x1000_0000), new(1UL << 35, 1UL << 35), [2]);
    private static readonly GuestMemoryMap Memory = GuestMemoryMap.Of(new(64 * MemoryLayout.MiB, Max: MemoryLayout.GiB));

    [Theory]
    [InlineData(0xf5a40, 0x07ff_fc40)] // SeaBIOS' choice
    [InlineData(0xf0000, 0x0012_3440)]
    [InlineData(0xffff0, 0xbffe_0000)]
    public void Loaded_anywhere_the_tables_are_those_that_the_machine_builds_for_that_place(uint rsdp, uint tables)
    {
        (byte[] pointer, byte[] bytes) = Load(rsdp, tables);

        (LoadSegment expectedRsdp, LoadSegment expectedTables) = AcpiTables.BuildApart(Cpus, [], rsdp, tables, Pci, Memory);
        Assert.Equal(expectedRsdp.Data.ToArray(), pointer);
        Assert.Equal(expectedTables.Data.ToArray(), bytes);
    }

    [Fact]
    public void The_RSDP_goes_where_it_is_searched_for_and_the_tables_anywhere()
    {
        (uint Command, byte[] Fields)[] entries = [.. Entries(Files()[TableLoader.Script])];

        Assert.Equal((1u, TableLoader.Rsdp, 16, 2), Allocation(entries[0]));
        Assert.Equal((1u, TableLoader.Tables, 64, 1), Allocation(entries[1]));
    }

    private static (uint Command, string File, int Alignment, int Zone) Allocation((uint Command, byte[] Fields) entry) =>
        (entry.Command, Name(entry.Fields), BitConverter.ToInt32(entry.Fields, 56), entry.Fields[60]);

    private static Dictionary<string, byte[]> Files()
    {
        FwCfgItems items = new();
        TableLoader.AddTo(items, Cpus, [], Pci, Memory);
        Dictionary<ushort, byte[]> all = items.ByNumber();
        return items.FileNames.Index().ToDictionary(file => file.Item, file => all[(ushort)(0x20 + file.Index)]);
    }

    private static (byte[] Rsdp, byte[] Tables) Load(uint rsdp, uint tables)
    {
        Dictionary<string, byte[]> files = Files();
        Dictionary<string, uint> places = new() { [TableLoader.Rsdp] = rsdp, [TableLoader.Tables] = tables };
        foreach ((uint command, byte[] fields) in Entries(files[TableLoader.Script]))
        {
            byte[] file = files[Name(fields)];
            switch (command)
            {
                case 2:
                    Span<byte> field = file.AsSpan(BitConverter.ToInt32(fields, 112), fields[116]);
                    byte[] value = new byte[8];
                    field.CopyTo(value);
                    ulong address = BinaryPrimitives.ReadUInt64LittleEndian(value) + places[Name(fields.AsSpan(56))];
                    BitConverter.GetBytes(address).AsSpan(0, field.Length).CopyTo(field);
                    break;
                case 3:
                    ReadOnlySpan<byte> summed = file.AsSpan(BitConverter.ToInt32(fields, 60), BitConverter.ToInt32(fields, 64));
                    ref byte sum = ref file[BitConverter.ToInt32(fields, 56)];
                    int all = 0;

                    // SeaBIOS subtracts from what is there; EDK II replaces it by the sum of all: both are right if it is 0.
                    Assert.Equal(0, sum);
                    foreach (byte each in summed)
                        all += each;
                    sum = (byte)-all;
                    break;
            }
        }

        return (files[TableLoader.Rsdp], files[TableLoader.Tables]);
    }

    private static IEnumerable<(uint Command, byte[] Fields)> Entries(byte[] script)
    {
        Assert.Equal(0, script.Length % 128);
        return script.Chunk(128).Select(entry => (BitConverter.ToUInt32(entry), entry[4..]));
    }

    private static string Name(ReadOnlySpan<byte> field) => Encoding.ASCII.GetString(field[..56]).TrimEnd('\0');
}
