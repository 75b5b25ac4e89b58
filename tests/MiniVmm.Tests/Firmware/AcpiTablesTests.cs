using MiniVmm.Devices;
using MiniVmm.Firmware;
using MiniVmm.Machine;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Firmware;

public sealed class AcpiTablesTests
{
    private static readonly string[] AllTables = ["FACP", "APIC", "DSDT", "FACS"];

    private static AmlDevice[] Pc => [.. PcPlatform.Devices(new MachineOptions { Kernel = "" }).Select(AmlDevice.Of).OfType<AmlDevice>()];

    private static GuestView Build(FirmwareCpus cpus, params AmlDevice[] devices) =>
        new(AcpiTables.Build(cpus, [.. Pc, .. devices]));

    [Fact]
    public void The_root_pointer_is_where_a_guest_searches_and_both_its_sums_are_zero()
    {
        LoadSegment segment = AcpiTables.Build(Topologies.Present(0), Pc);
        GuestView guest = new(segment);

        Assert.Equal(MemoryLayout.Acpi, segment.Address);
        Assert.Equal("RSD PTR ", guest.Text(segment.Address, 8));
        Assert.Equal(2, guest.U8(segment.Address + 15));
        Assert.Equal(36u, guest.U32(segment.Address + 20));
        Assert.Equal(0, guest.Sum(segment.Address, 20));
        Assert.Equal(0, guest.Sum(segment.Address, 36));
    }

    [Fact]
    public void Apart_from_its_tables_the_root_pointer_leads_to_them()
    {
        const ulong rsdp = 0x9fc10;
        const ulong tables = 0x12_3400;
        FirmwareCpus cpus = Topologies.Present(0, 1);
        (LoadSegment pointer, LoadSegment rest) = AcpiTables.BuildApart(cpus, Pc, rsdp, tables);
        byte[] bytes = new byte[rest.End - rsdp];
        pointer.Data.CopyTo(bytes);
        rest.Data.CopyTo(bytes.AsMemory((int)(tables - rsdp)));
        GuestView apart = new(new("ACPI", rsdp, bytes));
        GuestView together = Build(cpus);

        Assert.Equal((rsdp, tables), (pointer.Address, rest.Address));
        Assert.Equal(0, apart.Sum(rsdp, 36));
        Assert.Equal(together.TableBytes("APIC"), apart.TableBytes("APIC"));
        Assert.Equal(together.TableBytes("DSDT"), apart.TableBytes("DSDT"));
        Assert.Equal(0ul, apart.Table("FACS").Address % 64);
    }

    [Fact]
    public void The_32_bit_and_the_64_bit_root_tables_list_the_same()
    {
        GuestView guest = Build(Topologies.Present(0));
        uint rsdt = guest.U32(MemoryLayout.Acpi + 16);
        ulong xsdt = guest.U64(MemoryLayout.Acpi + 24);

        Assert.Equal("RSDT", guest.Text(rsdt, 4));
        Assert.Equal("XSDT", guest.Text(xsdt, 4));
        Assert.Equal(36u + 2 * 4, guest.U32(rsdt + 4));
        Assert.Equal(36u + 2 * 8, guest.U32(xsdt + 4));
        Assert.Equal(0, guest.Sum(rsdt, 36 + 2 * 4));
        Assert.Equal(0, guest.Sum(xsdt, 36 + 2 * 8));
        for (uint i = 0; i < 2; i++)
            Assert.Equal(guest.U32(rsdt + 36 + 4 * i), guest.U64(xsdt + 36 + 8 * i));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(17)]
    [InlineData(1024)]
    public void Every_table_is_reached_aligned_whole_and_adds_up(int processors)
    {
        GuestView guest = Build(Topologies.Some(processors, processors));
        List<(ulong Start, ulong End)> ranges = [(MemoryLayout.Acpi, MemoryLayout.Acpi + 36)];
        foreach (string signature in AllTables)
        {
            (ulong address, int length) = guest.Table(signature);
            ranges.Add((address, address + (ulong)length));
            Assert.Equal(signature, guest.Text(address, 4));
            Assert.Equal(0u, address % (signature == "FACS" ? 64u : 16u));
            if (signature != "FACS")
                Assert.Equal(0, guest.Sum(address, length));
        }

        ranges.Sort();
        Assert.All(ranges.Zip(ranges.Skip(1)), pair => Assert.True(pair.First.End <= pair.Second.Start));
        Assert.True(ranges[^1].End <= MemoryLayout.AcpiEnd);
    }

    [Theory]
    [InlineData(4097)]
    [InlineData(100_000)]
    public void More_processors_than_ACPI_has_names_for_are_refused_in_words(int processors)
    {
        BadInputException error =
            Assert.Throws<BadInputException>(() => AcpiTables.Build(Topologies.Some(1, processors), Pc));
        Assert.Contains($"maxcpus={processors}", error.Message, StringComparison.Ordinal);
        Assert.Contains("4096 processors", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 1024)]
    [InlineData(1024, 1024)]
    [InlineData(1, 4096)]
    public void Tables_too_large_for_their_usual_place_lie_elsewhere_and_are_found(int present, int processors)
    {
        LoadPlan plan = new("kernel", new GuestMemoryMap(64 * MemoryLayout.MiB));
        ulong rsdp = new FirmwareTables(Topologies.Some(present, processors), Pc).Place(plan).Rsdp;

        Assert.InRange(rsdp, MemoryLayout.RomArea, MemoryLayout.HighMemory - 1);
        LoadSegment tables = plan.Segments.Single(segment => segment.Name == "ACPI tables");
        E820Entry entry = plan.Memory.E820.Single(e => e.Range.Start <= tables.Address && tables.End <= e.Range.End);
        Assert.Equal(E820Type.Reserved, entry.Type);
    }

    [Theory]
    [InlineData("COM1")]
    [InlineData("C000")]
    [InlineData("five5")]
    public void A_device_name_that_is_taken_or_impossible_is_refused(string name) =>
        Assert.Throws<ArgumentException>(() => Build(Topologies.Present(0), new AmlDevice(name, "LNRO0005", 0)));

    [Fact]
    public void The_fixed_hardware_is_at_the_platforms_ports()
    {
        GuestView guest = Build(Topologies.Present(0));
        (ulong fadt, int length) = guest.Table("FACP");

        Assert.Equal(276, length);
        Assert.Equal(IoPorts.AcpiSciIrq, guest.U16(fadt + 46));
        Assert.Equal(0u, guest.U32(fadt + 48));
        Assert.Equal((0x600u, 4), (guest.U32(fadt + 56), guest.U8(fadt + 88)));
        Assert.Equal((0x604u, 2), (guest.U32(fadt + 64), guest.U8(fadt + 89)));
        Assert.Equal((0x608u, 4), (guest.U32(fadt + 76), guest.U8(fadt + 91)));
        Assert.Equal("01080001F90C000000000000", Convert.ToHexString(guest.Bytes(fadt + 116, 12)));
        Assert.Equal(IoPorts.ResetValue, guest.U8(fadt + 128));
        // Reset register, 32-bit timer, fixed power button; no fixed sleep button, no reduced hardware.
        Assert.Equal(0x565u, guest.U32(fadt + 112));
        Assert.Equal(guest.U32(fadt + 40), guest.U64(fadt + 140));
    }

    [Fact]
    public void A_machine_with_a_keyboard_for_the_guest_says_so_in_its_boot_flags_and_that_there_is_a_VGA()
    {
        AmlDevice keyboard = new("KBD", AmlDevice.KeyboardId, 0);
        GuestView without = Build(Topologies.Present(0)), with = Build(Topologies.Present(0), keyboard);

        Assert.Equal(0x05, without.U16(without.Table("FACP").Address + 109)); // ISA devices, no VGA
        Assert.Equal(0x03, with.U16(with.Table("FACP").Address + 109)); // ISA devices, an 8042
    }

    [Theory]
    [InlineData(56, 88, 148)]
    [InlineData(64, 89, 172)]
    [InlineData(76, 91, 208)]
    public void Linux_finds_no_mismatch_between_old_and_extended_fields(uint old, uint oldLength, uint extended)
    {
        GuestView guest = Build(Topologies.Present(0));
        ulong fadt = guest.Table("FACP").Address;
        Assert.Equal(1, guest.U8(fadt + extended));
        Assert.Equal(guest.U8(fadt + oldLength) * 8, guest.U8(fadt + extended + 1));
        Assert.Equal(guest.U32(fadt + old), guest.U64(fadt + extended + 4));
    }

    [Fact]
    public void Iasl_accepts_each_table_of_a_machine_with_all_there_is()
    {
        FirmwareCpus cpus = new([new(0, true), new(1, true), new(4, false), new(255, true), new(300, false)]);
        AmlDevice disk = new("VIO0", "LNRO0005", 0)
        {
            Resources = new ResourceTemplate()
                .Memory32((uint)MemoryLayout.VirtioMmio, 0x1000).Interrupt(5, TriggerMode.Edge),
        };
        LoadSegment segment = AcpiTables.Build(cpus, [.. Pc, disk]);
        GuestView guest = new(segment);

        Iasl.Check("facp", guest.TableBytes("FACP"));
        Iasl.Check("facs", guest.TableBytes("FACS"));
        // No RSDP: iasl compiles one but refuses to disassemble even its own.
        ulong xsdt = guest.U64(segment.Address + 24);
        Iasl.Check("xsdt", guest.Bytes(xsdt, (int)guest.U32(xsdt + 4)).ToArray());
        uint rsdt = guest.U32(segment.Address + 16);
        Iasl.Check("rsdt", guest.Bytes(rsdt, (int)guest.U32(rsdt + 4)).ToArray());
        string madt = Iasl.Check("apic", guest.TableBytes("APIC"));
        AmlWriterTests.AssertInOrder(
            madt, "[Processor Local APIC]", "[Processor Local x2APIC]", "[I/O APIC]", "[Interrupt Source Override]",
            "[Local APIC NMI]", "[Local x2APIC NMI]");
        string dsdt = Iasl.Check("dsdt", guest.TableBytes("DSDT"));
        AmlWriterTests.AssertInOrder(
            dsdt, "Name (_S5, Package (0x04)", "Scope (\\_SB)",
            "Device (C000)", "Name (_HID, \"ACPI0007\"", "Name (_UID, Zero)",
            "Device (C002)", "Name (_UID, 0x02)", "Method (_STA, 0, NotSerialized)", "Return (CPUC (0x00010002))",
            "Name (_MAT, Buffer (0x08)", "0x00, 0x08, 0x02, 0x04, 0x01, 0x00, 0x00, 0x00",
            "Method (_EJ0, 1, NotSerialized)", "CPUC (0x00030002)",
            "Method (_OST, 3, NotSerialized)", "CPUR (0x00040002, Arg0, Arg1)",
            "Device (C003)", "Device (C004)", "Name (_MAT, Buffer (0x10)",
            "Device (GED0)", "\"ACPI0013\"", "Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive", "0x00000017",
            "Method (_EVT, 1, NotSerialized)", "Local0 = CPUC (0x00020000)", "While (Local0)",
            "CPNT ((Local0 & 0xFFFF), (Local0 >> 0x10))",
            "Device (MBRD)", "EisaId (\"PNP0C02\")", "0x0600,", "0x0C,", "0x0CF9,",
            "Device (COM1)", "EisaId (\"PNP0501\")", "0x03F8,", "0x08,", "{4}",
            "Device (RTC)", "EisaId (\"PNP0B00\")", "0x0070,", "0x02,",
            "Device (VIO0)", "\"LNRO0005\"", "0xD0000000,", "0x00001000,", "0x00000005,");
    }

    [Fact]
    public void A_machine_whose_processors_stay_has_no_words_for_others()
    {
        string dsdt = Iasl.Check("dsdt", Build(Topologies.Some(3, 3)).TableBytes("DSDT"));

        foreach (string word in (string[])["OperationRegion", "_STA", "_MAT", "_EJ0", "_OST", "GED0", "CPUH"])
            Assert.DoesNotContain(word, dsdt, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_processor_but_the_first_can_be_ejected_and_is_told_by_its_own_device()
    {
        string dsdt = Iasl.Check("dsdt", Build(Topologies.Some(2, 300)).TableBytes("DSDT"));

        Assert.Equal(299, System.Text.RegularExpressions.Regex.Count(dsdt, "Method \\(_EJ0,"));
        for (int i = 1; i < 300; i++)
        {
            string number = i == 1 ? "One" : i < 256 ? $"0x{i:X2}" : $"0x{i:X4}";
            AmlWriterTests.AssertInOrder(dsdt, $"If ((Arg0 == {number}))", $"Notify (C{i:X3}, Arg1)");
        }
    }

    [Fact]
    public void A_search_for_S5_without_an_interpreter_finds_the_sleep_type()
    {
        byte[] dsdt = Build(Topologies.Some(4, 4)).TableBytes("DSDT");
        int at = dsdt.AsSpan().IndexOf("_S5_"u8);
        // NameOp, name, PackageOp, one-byte length, four elements, the first of which is ZeroOp.
        Assert.Equal(0x08, dsdt[at - 1]);
        Assert.Equal([0x12, 6, 4, IoPorts.AcpiSleepTypeS5], dsdt.AsSpan(at + 4, 4).ToArray());
    }
}
