using System.Buffers.Binary;
using MiniVmm.Symbols;
using MiniVmm.Tests.Virtio;

namespace MiniVmm.Tests.Symbols;

/// <summary>The symbols in a Linux guest's own memory.</summary>
public sealed class KallsymsTests
{
    private const int Symbols = 2500;
    private const ulong Text = 0xffff_ffff_8100_0000;

    /// <summary>Where else the tables' parts are, by the kernel's age.</summary>
    public enum Layout
    {
        /// <summary>4.20 on: addresses, names, tokens.</summary>
        AddressesFirst,

        /// <summary>6.1's later ones: three bytes a symbol between names and tokens as well.</summary>
        OrderBeforeTokens,

        /// <summary>6.4 on: names, tokens, addresses.</summary>
        AddressesLast,
    }

    [Theory]
    [InlineData(Layout.AddressesFirst)]
    [InlineData(Layout.OrderBeforeTokens)]
    [InlineData(Layout.AddressesLast)]
    public void An_address_has_the_name_of_the_function_it_lies_in(Layout layout)
    {
        Kallsyms symbols = Kallsyms.Find(Image(layout))!;

        Assert.Equal(Symbols, symbols.Count);
        Assert.Equal("_text", symbols.Describe(Text)); // the first of two
        Assert.Equal("schedule_700", symbols.Describe(Text + 16 * 700));
        Assert.Equal("schedule_2400+0xf", symbols.Describe(Text + 16 * 2400 + 15));
        Assert.Null(symbols.Describe(Text - 1));
        Assert.Null(symbols.Describe(Text + 16 * Symbols));
        Assert.Null(symbols.Describe(0x10)); // a place in each processor's own data
    }

    [Fact]
    public void A_kernel_without_data_for_each_processor_has_offsets_of_another_kind() => Assert.Equal(
        "schedule_700+0x1", Kallsyms.Find(Image(Layout.AddressesLast, perCpu: 0))!.Describe(Text + 16 * 700 + 1));

    [Fact]
    public void Memory_without_a_kernel_has_none()
    {
        Assert.Null(Kallsyms.Find([]));
        Assert.Null(Kallsyms.Find("0\01\02\03\04\05\06\07\08\09\0"u8));
        Assert.Null(Kallsyms.Find(new byte[1 << 20]));
    }

    [Fact]
    public void Spoilt_tables_have_other_names_or_none()
    {
        byte[] whole = Image(Layout.OrderBeforeTokens);
        for (int at = 0; at < whole.Length; at += 37)
        {
            byte[] spoilt = [.. whole];
            spoilt[at] ^= (byte)(1 << at % 8);
            Kallsyms? symbols = Kallsyms.Find(spoilt);
            for (ulong address = Text; address < Text + 16 * Symbols; address += 16 * 97)
                _ = symbols?.Describe(address);
        }

        for (int length = 0; length < whole.Length; length += 211)
            _ = Kallsyms.Find(whole.AsSpan(0, length))?.Describe(Text);
    }

    [Fact]
    public void A_guest_has_names_from_its_first_address_that_is_its_kernels_wherever_that_is()
    {
        const ulong Moved = 0x1a00_0000; // KASLR's two, which have nothing to do with each other
        const ulong At = 0x20_0000;
        using TestMemory ram = new((0, 8 << 20));
        GuestKallsyms names = new(ram.Memory);
        byte[] image = Image(Layout.OrderBeforeTokens, Text + Moved);

        Assert.Null(names.Describe(Text + Moved, At)); // not loaded yet
        image.CopyTo(ram.Bytes(At + 0x10_0000, image.Length));
        Assert.Equal("schedule_20+0x3", names.Describe(Text + Moved + 323, At + 323));
        Assert.Equal("schedule_20+0x3", names.Describe(At + 323, At + 323)); // before paging
        Assert.Null(names.Describe(0x7fff_0000_0000, At + 35)); // a program's
        Assert.Null(names.Describe(0xffff_ffff_c000_1000, 0x1000)); // a module's
    }

    private static byte[] Image(Layout layout, ulong text = Text, int perCpu = 8)
    {
        Tables tables = new();
        byte[] offsets = new byte[Symbols * 4];
        List<(string Name, ulong Address)> symbols = [];
        for (int i = 0; i < Symbols; i++)
        {
            ulong address = i < perCpu ? (ulong)i * 16 : text + (ulong)(i == perCpu + 1 ? 0 : i) * 16;
            if (i == perCpu)
                address = text;
            string name = i < perCpu ? $"Aper_cpu_{i}" : i == perCpu ? "T_text" : $"Tschedule_{i}";
            symbols.Add((name, address));
        }

        for (int i = 0; i < Symbols; i++)
        {
            int offset = perCpu == 0 ? (int)(symbols[i].Address - text)
                : i < perCpu ? (int)symbols[i].Address : (int)(-1 - (long)(symbols[i].Address - text));
            BinaryPrimitives.WriteInt32LittleEndian(offsets.AsSpan(i * 4), offset);
        }

        tables.Add(new byte[64]);
        if (layout != Layout.AddressesLast)
            AddAddresses();
        tables.Add(BitConverter.GetBytes(Symbols));
        List<byte> names = [];
        List<byte> markers = [];
        for (int i = 0; i < Symbols; i++)
        {
            if (i % 256 == 0)
                markers.AddRange(BitConverter.GetBytes(names.Count));
            byte[] name = [.. symbols[i].Name.Replace("schedule", "\x01", StringComparison.Ordinal).Select(letter => (byte)letter)];
            names.Add((byte)name.Length);
            names.AddRange(name);
        }

        tables.Add([.. names]);
        tables.Add([.. markers]);
        if (layout == Layout.OrderBeforeTokens)
            tables.Add([.. Enumerable.Range(0, Symbols).SelectMany(i => new byte[] { 0, (byte)(i >> 8), (byte)i })]);
        List<byte> tokens = [];
        List<byte> index = [];
        for (int i = 0; i < 256; i++)
        {
            index.AddRange(BitConverter.GetBytes((ushort)tokens.Count));
            string token = i == 1 ? "schedule" : i is > ' ' and < 0x7f ? $"{(char)i}" : "";
            tokens.AddRange([.. token.Select(letter => (byte)letter), 0]);
        }

        tables.Add([.. tokens]);
        tables.Add([.. index]);
        if (layout == Layout.AddressesLast)
            AddAddresses();
        tables.Add(new byte[64]);
        return [.. tables.Bytes];

        void AddAddresses()
        {
            tables.Add(offsets);
            tables.Add(BitConverter.GetBytes(text));
        }
    }

    private sealed class Tables
    {
        public List<byte> Bytes { get; } = [];

        /// <summary>Each table begins at a multiple of 8.</summary>
        public void Add(byte[] table)
        {
            Bytes.AddRange(table);
            Bytes.AddRange(new byte[-Bytes.Count & 7]);
        }
    }
}
