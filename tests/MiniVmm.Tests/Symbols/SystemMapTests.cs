using System.Text;
using CsCheck;
using MiniVmm.Symbols;
using MiniVmm.Tests.Boot;
using MiniVmm.Tests.Virtio;

namespace MiniVmm.Tests.Symbols;

public sealed class SystemMapTests : IDisposable
{
    private const string Map = """
        0000000000000000 A __per_cpu_start
        ffffffff81000000 T _stext
        ffffffff81000000 T _text
        ffffffff81000100 t io_serial_out
        ffffffff81000180 W weak_one
        ffffffff81180000 R linux_banner
        ffffffff81190000 B _end

        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("minivmm-map-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(0xffff_ffff_8100_0000, "_stext")] // the first of two
    [InlineData(0xffff_ffff_8100_0102, "io_serial_out+0x2")]
    [InlineData(0xffff_ffff_8100_0180, "weak_one")]
    [InlineData(0xffff_ffff_8118_ffff, "weak_one+0x18fe7f")]
    [InlineData(0xffff_ffff_8119_0000, null)]
    [InlineData(0xffff_ffff_80ff_ffff, null)]
    [InlineData(0UL, null)]
    public void An_address_has_the_name_of_the_function_it_lies_in(ulong address, string? name) => Assert.Equal(name, Parse(Map).Describe(address));

    [Fact]
    public void In_any_order_and_without_a_last_newline_it_says_the_same()
    {
        SystemMap map = Parse("c1000010 t b\r\nc1000000 T a\tfile.c:3\nc1000020 D end");

        Assert.Equal("a+0xf", map.Describe(0xc100_000f));
        Assert.Equal("b+0xf", map.Describe(0xc100_001f));
        Assert.Null(map.Describe(0xc100_0020));
        Assert.Null(map.Banner);
    }

    [Fact]
    public void The_last_function_of_a_map_that_lists_nothing_behind_it_has_its_name_for_a_while()
    {
        SystemMap map = Parse("00100000 T a\n00100010 T b\n");

        Assert.Equal("a+0xf", map.Describe(0x10_000f));
        Assert.Equal("b+0xffff", map.Describe(0x11_000f));
        Assert.Null(map.Describe(0x11_0010));
        Assert.Equal("c", Parse("ffffffffffffffff T c\n").Describe(ulong.MaxValue));
    }

    [Theory]
    [InlineData("ffffffff81000000 T a\nnonsense\n", "line 2 is not")]
    [InlineData("ffffffff81000000 T a\n\n", "line 2 is not")]
    [InlineData("ffffffff81000000 T", "line 1 is not")]
    [InlineData("ffffffff81000000 T ", "line 1 is not")]
    [InlineData("ffffffff81000000 5 a", "line 1 is not")]
    [InlineData("ffffffff81000000 T a b", "line 1 is not")]
    [InlineData("ffffffff81000000 T \u001b[1m", "line 1 is not")]
    [InlineData("0ffffffff81000000 T a", "line 1 is not")]
    [InlineData("ffffffff81000000\tT\ta", "line 1 is not")]
    [InlineData("\0\0\0\0", "line 1 is not")]
    [InlineData("ffffffff81000000 D a\n", "names no functions")]
    [InlineData("ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package\n", "linux-image-VERSION-dbg")]
    public void A_file_that_is_no_map_is_refused_by_its_line(string text, string why)
    {
        BadInputException refusal = Assert.Throws<BadInputException>(() => Parse(text));

        Assert.StartsWith("Symbols some.map: ", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(why, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_of_any_length_and_more_lines_than_a_kernel_has_are_refused()
    {
        Assert.Throws<BadInputException>(() => Parse($"ffffffff81000000 T {new string('a', 1000)}\n"));
        Assert.Contains("more than 4194304 symbols", Assert.Throws<BadInputException>(() => Parse(new string('\n', (1 << 22) + 1))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void However_a_map_is_spoilt_or_cut_it_is_read_or_refused() =>
        Gen.Select(Gen.Select(Gen.Int[0, Map.Length - 1], Gen.Byte).Array[0, 6], Gen.Int[0, Map.Length]).Sample((changes, length) =>
        {
            byte[] bytes = Encoding.ASCII.GetBytes(Map);
            foreach ((int at, byte value) in changes)
                bytes[at] = value;
            try
            {
                SystemMap map = SystemMap.Parse(bytes.AsMemory(0, length), "some.map");
                foreach (ulong address in (ulong[])[0, 0xffff_ffff_8100_0102, 0xffff_ffff_8118_ffff, ulong.MaxValue])
                    _ = map.Describe(address);
            }
            catch (BadInputException refusal)
            {
                Assert.NotEmpty(refusal.Message);
            }
        });

    [Fact]
    public void A_kernel_that_KASLR_has_moved_is_found_by_its_banner()
    {
        const ulong Moved = 0x1a00_0000;
        const ulong At = 0x40_0000;
        using SymbolFile symbols = SymbolFile.Find(Written("some.map", Map), "bzImage")!;
        using TestMemory ram = new((0, 16 << 20));
        KernelSymbols names = KernelSymbols.Of(symbols, ram.Memory);

        "Linux version "u8.CopyTo(ram.Bytes(0x1234, 14)); // another text that begins so
        Assert.Null(names.Describe(0xffff_ffff_8100_0102 + Moved, At + 0x102)); // not there yet
        "Linux version 6.1"u8.CopyTo(ram.Bytes(At + 0x18_0000, 17));
        Assert.Equal("io_serial_out+0x2", names.Describe(0xffff_ffff_8100_0102 + Moved, At + 0x102));
        Assert.Equal("io_serial_out+0x2", names.Describe(At + 0x102, At + 0x102)); // before paging
        Assert.Null(names.Describe(0xffff_ffff_8100_0102, At + 0x102)); // as linked there is nothing
        Assert.Null(names.Describe(0x7fff_0000_0102, At + 0x102)); // a program's
        Assert.False(names.IsWhole);
    }

    [Theory]
    [InlineData("some.map", "", 0x18_0040, null)] // the text lies elsewhere
    [InlineData("System.map-6.1.0-9-amd64", "", 0x18_0000, null)] // it says another version
    [InlineData("System.map-6.1.0-8-amd64", "", 0x18_0000, "io_serial_out+0x2")]
    [InlineData("some.map", "ffffffff81188010 R hex_asc\n", 0x18_0000, "io_serial_out+0x2")]
    [InlineData("some.map", "ffffffff81188018 R hex_asc\n", 0x18_0000, null)] // something behind the text lies elsewhere
    [InlineData("some.map", "ffffffff80000000 R hex_asc\n", 0x18_0000, null)] // where there is no memory
    public void Another_kernels_map_names_nothing(string name, string more, int bannerAt, string? expected)
    {
        using SymbolFile symbols = SymbolFile.Find(Written(name, Map + more), "bzImage")!;
        using TestMemory ram = new((0, 16 << 20));
        "Linux version 6.1.0-8-amd64 (somebody)"u8.CopyTo(ram.Bytes(0x40_0000 + (ulong)bannerAt, 38));
        "0123456789abcdef"u8.CopyTo(ram.Bytes(0x40_0000 + 0x18_8010, 16));
        KernelSymbols names = KernelSymbols.Of(symbols, ram.Memory);

        for (int i = 0; i < 100; i++)
            Assert.Equal(expected, names.Describe(0xffff_ffff_8100_0102, 0x40_0102));
    }

    [Fact]
    public void A_map_of_something_else_than_a_moving_Linux_is_taken_as_it_is()
    {
        using SymbolFile symbols = SymbolFile.Find(Written("some.map", "00100000 T start\n00100040 t main\n00101000 B end\n"), "flat.bin")!;
        using TestMemory ram = new((0, 2 << 20));

        Assert.Equal("main+0x1", KernelSymbols.Of(symbols, ram.Memory).Describe(0x10_0041, 0x10_0041));
    }

    [Fact]
    public void The_map_beside_a_kernel_is_found_by_its_version_and_forgiven_what_it_lacks()
    {
        string kernel = Path.Combine(_folder, "vmlinuz-6.1.0-9-amd64");
        Assert.Null(SymbolFile.Find(null, kernel));

        Written("System.map-6.1.0-9-amd64", Map);
        using (SymbolFile? found = SymbolFile.Find(null, kernel))
            Assert.NotNull(found);
        Assert.Null(SymbolFile.Find(null, Path.Combine(_folder, "vmlinuz-6.1.0-8-amd64")));
        Written("System.map-6.1.0-9-amd64", "nothing\n");
        Assert.Null(SymbolFile.Find(null, kernel));
    }

    [Fact]
    public void An_ELF_file_needs_symbols_and_a_map_has_a_size_that_maps_have()
    {
        string path = Path.Combine(_folder, "file");
        File.WriteAllBytes(path, new ElfBuilder(is64: true).With(0x10_0000, new byte[64]).Build());
        Assert.Contains("an ELF file without symbols", Assert.Throws<BadInputException>(() => SymbolFile.Check(path)).Message, StringComparison.Ordinal);

        using (FileStream file = File.Create(path))
            file.SetLength(SystemMap.LargestFile + 1);
        Assert.Contains("64 MiB", Assert.Throws<BadInputException>(() => SymbolFile.Check(path)).Message, StringComparison.Ordinal);
        Assert.Contains("no such file", Assert.Throws<BadInputException>(() => SymbolFile.Check("/nowhere/vmlinux")).Message, StringComparison.Ordinal);
    }

    private string Written(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    private static SystemMap Parse(string text) => SystemMap.Parse(Encoding.ASCII.GetBytes(text), "some.map");
}
