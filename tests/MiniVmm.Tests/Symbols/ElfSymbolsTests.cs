using System.Buffers.Binary;
using System.Text;
using CsCheck;
using MiniVmm.Symbols;
using MiniVmm.Tests.Boot;
using MiniVmm.Tests.Virtio;

namespace MiniVmm.Tests.Symbols;

public sealed class ElfSymbolsTests
{
    private const ulong Physical = 0x10_0000;

    private static ReadOnlySpan<byte> Banner => "Linux version 6.1 #1\n"u8;

    private static ulong Virtual(bool is64) => is64 ? 0xffff_ffff_8010_0000 : 0xc010_0000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_address_has_the_name_of_the_function_it_lies_in(bool is64)
    {
        ElfSymbols symbols = ElfSymbols.Find(File(is64))!;
        ulong at = Virtual(is64);

        Assert.Equal("start", symbols.Describe(at, null));
        Assert.Equal("start+0x3", symbols.Describe(at + 3, null));
        Assert.Equal("hang", symbols.Describe(at + 0x10, null)); // rather than the label at the same place
        Assert.Equal("hang+0xf", symbols.Describe(at + 0x1f, null));
        Assert.Equal("label+0x1", symbols.Describe(at + 0x31, null)); // without a size
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Before_paging_a_high_kernel_is_known_by_its_physical_addresses(bool is64)
    {
        ElfSymbols symbols = ElfSymbols.Find(File(is64))!;

        Assert.Equal("hang+0x2", symbols.Describe(Physical + 0x12, Physical + 0x12));
        Assert.Equal("hang+0x2", symbols.Describe(0x40_0000, Physical + 0x12));
    }

    [Theory]
    [InlineData(0x40_0000UL)]
    [InlineData(0UL)]
    [InlineData(ulong.MaxValue)]
    public void An_address_that_is_not_the_kernels_has_no_name(ulong address) =>
        Assert.Null(ElfSymbols.Find(File(is64: true))!.Describe(address, address));

    [Fact]
    public void A_file_without_a_table_has_no_symbols()
    {
        Assert.Null(ElfSymbols.Find(new ElfBuilder(is64: true).With(Physical, new byte[64]).Build()));
        Assert.Null(ElfSymbols.Find(Array.Empty<byte>()));
        Assert.Null(ElfSymbols.Find(new byte[4096]));
        Assert.Null(ElfSymbols.Find("\u007fELF"u8.ToArray()));
    }

    [Fact]
    public void However_a_file_is_broken_or_cut_it_is_read_without_an_exception() =>
        Gen.Select(Gen.Bool, Gen.Select(Gen.Int[0, 700], Gen.Byte).Array[0, 8], Gen.Int[0, 700]).Sample(
            (is64, changes, length) =>
            {
                byte[] file = File(is64);
                foreach ((int at, byte value) in changes)
                    file[at % file.Length] = value;
                file = file[..Math.Min(length + (file.Length / 2), file.Length)];
                ElfSymbols? symbols = ElfSymbols.Find(file);
                _ = symbols?.Describe(Virtual(is64) + 0x12, Physical + 0x12);
                _ = symbols?.AddressOf("linux_banner"u8) is { } address ? symbols.LoadedAt(address).Length : 0;
            });

    [Fact]
    public void A_symbol_has_its_address_and_what_the_file_loads_there()
    {
        ElfSymbols symbols = ElfSymbols.Find(File(is64: true))!;

        Assert.Equal(Virtual(true) + 0x20, symbols.AddressOf("linux_banner"u8));
        Assert.Null(symbols.AddressOf("linux"u8));
        Assert.Null(symbols.AddressOf("linux_banners"u8));
        Assert.True(symbols.LoadedAt(Virtual(true) + 0x20).Span.StartsWith(Banner));
        Assert.True(symbols.LoadedAt(Virtual(true) - 1).IsEmpty);
        Assert.True(symbols.LoadedAt(Virtual(true) + 0x40).IsEmpty);
    }

    [Theory]
    [InlineData("Linux version 6.1 #1\n", "hang+0x2")]
    [InlineData("Linux version 6.1 #2\n", null)] // another build
    public void A_file_beside_the_kernel_names_it_where_KASLR_has_put_it(string text, string? name)
    {
        const ulong Moved = 0x1a00_0000;
        const ulong At = 0x40_0000;
        string path = Path.GetTempFileName();
        System.IO.File.WriteAllBytes(path, File(is64: true));
        using SymbolFile file = SymbolFile.Find(path, null)!;
        System.IO.File.Delete(path);
        using TestMemory ram = new((0, 16 << 20));
        Encoding.ASCII.GetBytes(text).CopyTo(ram.Bytes(At + 0x20, text.Length));

        Assert.Equal(name, KernelSymbols.Of(file, ram.Memory).Describe(Virtual(true) + Moved + 0x12, At + 0x12));
    }

    /// <summary>A kernel linked high, with a symbol table as ld writes it behind the segments.</summary>
    private static byte[] File(bool is64)
    {
        byte[] elf = new ElfBuilder(is64).With(Physical, [.. new byte[0x20], .. Banner, .. new byte[0x20 - Banner.Length]], virtualAddress: Virtual(is64)).Build();
        byte[] names = Encoding.ASCII.GetBytes("\0start\0hang\0label\0file.c\0linux_banner\0");
        List<byte> symbols = [.. new byte[is64 ? 24 : 16]];
        void Add(int name, byte type, ulong value, uint size, ushort section = 1)
        {
            byte[] symbol = new byte[is64 ? 24 : 16];
            U32(symbol, 0, (uint)name);
            symbol[is64 ? 4 : 12] = type;
            BinaryPrimitives.WriteUInt16LittleEndian(symbol.AsSpan(is64 ? 6 : 14), section);
            Word(symbol, is64 ? 8 : 4, value);
            Word(symbol, is64 ? 16 : 8, size);
            symbols.AddRange(symbol);
        }

        ulong at = Virtual(is64);
        Add(18, 4, at + 0x10, 0); // a file's name
        Add(12, 0, at + 0x10, 0); // a label
        Add(7, 2, at + 0x10, 0x10);
        Add(1, 2, at, 0x10);
        Add(12, 0, at + 0x30, 0);
        Add(1, 2, at + 0x31, 0x10, section: 0); // undefined
        Add(25, 1, at + 0x20, 0x10);

        int sectionSize = is64 ? 64 : 40;
        int symbolsAt = elf.Length;
        int namesAt = symbolsAt + symbols.Count;
        int sectionsAt = namesAt + names.Length;
        byte[] sections = new byte[3 * sectionSize];
        void Describe(int index, uint type, int offset, int length, uint link)
        {
            Span<byte> section = sections.AsSpan(index * sectionSize, sectionSize);
            U32(section, 4, type);
            Word(section, is64 ? 24 : 16, (ulong)offset);
            Word(section, is64 ? 32 : 20, (ulong)length);
            U32(section, is64 ? 40 : 24, link);
        }

        Describe(1, 2, symbolsAt, symbols.Count, link: 2);
        Describe(2, 3, namesAt, names.Length, link: 0);
        Word(elf, is64 ? 40 : 32, (ulong)sectionsAt);
        BinaryPrimitives.WriteUInt16LittleEndian(elf.AsSpan(is64 ? 58 : 46), (ushort)sectionSize);
        BinaryPrimitives.WriteUInt16LittleEndian(elf.AsSpan(is64 ? 60 : 48), 3);
        return [.. elf, .. symbols, .. names, .. sections];

        void Word(Span<byte> bytes, int offset, ulong value)
        {
            if (is64)
                BinaryPrimitives.WriteUInt64LittleEndian(bytes[offset..], value);
            else
                U32(bytes, offset, (uint)value);
        }
    }

    private static void U32(Span<byte> bytes, int offset, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[offset..], value);
}
