using System.Buffers.Binary;
using System.Diagnostics;
using MiniVmm.Devices;
using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Firmware;

/// <summary>The SMBIOS tables, as dmidecode reads them.</summary>
public sealed class SmbiosTablesTests
{
    private static readonly SmbiosIdentity Web = new()
    {
        Product = "Web",
        Serial = "S1",
        Uuid = new("00112233-4455-6677-8899-aabbccddeeff"),
        OemStrings = ["io.systemd.credential:a=b"],
    };

    [Fact]
    public void Dmidecode_finds_what_the_machine_is()
    {
        string text = Dmidecode(Files(Web, 2, 2, 2, 5 * MemoryLayout.GiB));

        Assert.Contains("SMBIOS 2.8 present.", text, StringComparison.Ordinal);
        Assert.Contains("Manufacturer: MiniVmm\n\tProduct Name: Web\n\tVersion: Not Specified\n\tSerial Number: S1\n"
            + "\tUUID: 00112233-4455-6677-8899-aabbccddeeff\n\tWake-up Type: Power Switch\n", text, StringComparison.Ordinal);
        Assert.Contains("String 1: io.systemd.credential:a=b\n", text, StringComparison.Ordinal);
        Assert.Contains("Socket Designation: CPU 1\n", text, StringComparison.Ordinal);
        Assert.Contains("Core Count: 2\n\tCore Enabled: 2\n\tThread Count: 4\n", text, StringComparison.Ordinal);
        Assert.Contains("Maximum Capacity: 5 GB\n", text, StringComparison.Ordinal);
        Assert.Contains("\tSize: 5 GB\n", text, StringComparison.Ordinal);
        Assert.Contains("Starting Address: 0x00000000000\n\tEnding Address: 0x000BFFFFFFF\n\tRange Size: 3 GB\n", text, StringComparison.Ordinal);
        Assert.Contains("Starting Address: 0x00100000000\n\tEnding Address: 0x0017FFFFFFF\n\tRange Size: 2 GB\n", text, StringComparison.Ordinal);
        Assert.Contains("End Of Table", text, StringComparison.Ordinal);
        Assert.DoesNotContain("roken", text, StringComparison.Ordinal);
        Assert.DoesNotContain("<BAD", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2 * MemoryLayout.MiB, 1, "\tSize: 2 MB\n")]
    [InlineData((2 * MemoryLayout.MiB) + 4096, 1, "\tSize: 2052 kB\n")]
    [InlineData(40 * MemoryLayout.GiB, 3, "\tSize: 8 GB\n")]
    [InlineData(8192 * MemoryLayout.GiB, 64, "\tSize: 128 GB\n")]
    public void Memory_of_any_size_is_all_there(ulong size, int devices, string last)
    {
        string text = Dmidecode(Files(Web, 1, 1, 1, size));

        Assert.Contains($"Number Of Devices: {devices}\n", text, StringComparison.Ordinal);
        Assert.Equal(devices, text.Split("Memory Device\n\t").Length - 1);
        Assert.Contains(last, text[text.LastIndexOf("Memory Device\n\t", StringComparison.Ordinal)..], StringComparison.Ordinal);
    }

    [Fact]
    public void A_machine_of_many_sockets_has_tables_of_a_length_that_can_be_told()
    {
        string text = Dmidecode(Files(Web, 4096, 1, 1, MemoryLayout.GiB));
        Assert.Contains("Socket Designation: CPU 127\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Texts_that_are_too_long_are_refused() => Assert.Contains(
        "the texts are too long",
        Assert.Throws<BadInputException>(() => Files(Web with { OemStrings = [new('x', 70_000)] }, 1, 1, 1, MemoryLayout.GiB)).Message,
        StringComparison.Ordinal);

    private static (byte[] Entry, byte[] Structures) Files(SmbiosIdentity identity, int sockets, int cores, int threads, ulong memory)
    {
        FwCfgItems items = new();
        SmbiosTables.AddTo(items, identity, sockets, cores, threads, new GuestMemoryMap(memory));
        Dictionary<ushort, byte[]> all = items.ByNumber();
        return (all[items.NumberOf(SmbiosTables.EntryPoint)], all[items.NumberOf(SmbiosTables.Structures)]);
    }

    /// <summary>Places the tables, as firmware does, in a file of dmidecode's: the entry point, and what it leads to.</summary>
    private static string Dmidecode((byte[] Entry, byte[] Structures) files)
    {
        const int address = 24, intermediate = 16, size = 32;
        byte[] dump = new byte[size + files.Structures.Length];
        files.Entry.CopyTo(dump, 0);
        files.Structures.CopyTo(dump, size);
        Assert.Equal(files.Structures.Length, BinaryPrimitives.ReadUInt16LittleEndian(dump.AsSpan(22)));
        BinaryPrimitives.WriteUInt32LittleEndian(dump.AsSpan(address), size);
        dump[21] = Checksum.For(dump.AsSpan(intermediate, 15), 21 - intermediate);
        dump[4] = Checksum.For(dump.AsSpan(0, 31), 4);
        string path = Path.GetTempFileName();
        File.WriteAllBytes(path, dump);
        try
        {
            using Process process = Process.Start(new ProcessStartInfo("dmidecode", ["--from-dump", path]) { RedirectStandardOutput = true })!;
            string text = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return text;
        }
        finally
        {
            File.Delete(path);
        }
    }
}
