using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Devices;

/// <summary>What accesses to the PC's devices mean, as traces tell it.</summary>
public sealed class RegisterWordsTests
{
    [Fact]
    public void The_clock_chips_data_is_what_its_index_chose()
    {
        IAccessWords words = new Rtc(new GuestMemoryMap(64 << 20), TimeProvider.System).CreateWords();

        Assert.Null(words.Describe(Read(1)));
        Assert.Equal("select hours", words.Describe(Write(0, 0x84)));
        Assert.Equal("read hours", words.Describe(Read(1)));
        Assert.Equal("select register 0x50", words.Describe(Write(0, 0x50)));
        Assert.Equal("set register 0x50", words.Describe(Write(1, 0)));
        Assert.Null(words.Describe(Write(0, 0x0004, 2)));
    }

    [Fact]
    public void PCI_configuration_names_the_function_and_the_register()
    {
        PciConfigurationWords words = new();

        Assert.Null(words.Describe(Read(4, 4)));
        Assert.Equal("select 00:03.1 register 0x10", words.Describe(Write(0, 0x8000_1910, 4)));
        Assert.Equal("read 00:03.1 register 0x12", words.Describe(Read(6, 2)));
        Assert.Equal("set 00:03.1 register 0x10", words.Describe(Write(4, 0, 4)));
    }

    [Theory]
    [InlineData(4, 0x2000, "sleep, type 0")]
    [InlineData(4, 0x3400, "sleep, type 5")]
    [InlineData(4, 0x0000, "set control")]
    [InlineData(0, 0x0100, "acknowledge events")]
    [InlineData(7, 0, null)]
    public void ACPI_tells_a_sleep_from_the_rest(ulong offset, ulong value, string? words) =>
        Assert.Equal(words, new AcpiPmWords().Describe(Write(offset, value, 2)));

    [Theory]
    [InlineData(4, 0xfe, true, "reset the machine")]
    [InlineData(4, 0xed, true, "command 0xed")]
    [InlineData(4, 0x1d, false, "status: a byte to read")]
    [InlineData(4, 0x1c, false, "status: nothing to read")]
    [InlineData(0, 0x1e, false, "take a byte")]
    [InlineData(2, 0, false, null)]
    public void The_keyboard_controller_tells_commands_from_data(ulong offset, ulong value, bool isWrite, string? words) =>
        Assert.Equal(words, new I8042Words().Describe(new(offset, 1, value, isWrite)));

    [Fact]
    public void Ports_that_print_or_end_say_what_with()
    {
        Assert.Equal("print 'A'", new PortWords("print", isText: true).Describe(Write(0, 'A')));
        Assert.Equal("print 0x7", new PortWords("print", isText: true).Describe(Write(0, 7)));
        Assert.Equal("end with 0x41", new PortWords("end with", isText: false).Describe(Write(0, 'A')));
        Assert.Null(new PortWords("print", isText: true).Describe(Read(0)));
    }

    [Fact]
    public void A_register_without_a_name_has_no_words()
    {
        RegisterWords words = new((0x70, "Status"));

        Assert.Equal("set Status", words.Describe(Write(0x70, 1, 4)));
        Assert.Equal("read Status", words.Describe(Read(0x70, 4)));
        Assert.Null(words.Describe(Read(0x71)));
    }

    private static DeviceAccess Write(ulong offset, ulong value, int size = 1) => new(offset, size, value, true);

    private static DeviceAccess Read(ulong offset, int size = 1) => new(offset, size, 0, false);
}
