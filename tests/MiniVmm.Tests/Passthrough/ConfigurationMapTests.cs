using System.Buffers.Binary;
using CsCheck;
using MiniVmm.Passthrough;

namespace MiniVmm.Tests.Passthrough;

public sealed class ConfigurationMapTests
{
    private const byte PowerManagement = 0x01;
    private const byte Msi = 0x05;
    private const byte Vendor = 0x09;
    private const byte Express = 0x10;
    private const byte HyperTransport = 0x08;

    [Fact]
    public void Hidden_capabilities_are_taken_out_of_the_list()
    {
        DeviceSpace device = new DeviceSpace()
            .Add(0x40, HyperTransport).Add(0x50, PowerManagement).Add(0x60, HyperTransport).Add(0x70, Vendor, 8)
            .Add(0x80, HyperTransport);

        Assert.Equal([(0x50, PowerManagement), (0x70, Vendor)], Capabilities(device));
    }

    [Fact]
    public void A_function_without_capabilities_has_none()
    {
        Assert.Equal(0, new DeviceSpace().Map.First);
        Assert.Equal(0, new DeviceSpace().Add(0x40, HyperTransport).Map.First);
    }

    [Fact]
    public void A_list_that_bites_its_tail_ends()
    {
        DeviceSpace device = new DeviceSpace().Add(0x40, Vendor, 4).Add(0x50, Vendor, 4);
        device.Bytes[0x51] = 0x40;

        Assert.True(device.Map.First != 0);
    }

    [Fact]
    public void A_capability_that_reaches_over_the_end_is_hidden()
    {
        DeviceSpace device = new DeviceSpace().Add(0xfc, PowerManagement).Add(0xf8, Express, 0x02, 0x00).Add(0xf0, Vendor, 0x20);

        Assert.Empty(Capabilities(device));
    }

    [Fact]
    public void The_guest_sets_a_power_state_that_the_device_never_hears_of()
    {
        DeviceSpace device = new DeviceSpace().Add(0x40, PowerManagement, 0x03, 0xfe, 0x00, 0x01);
        GuestConfiguration guest = new(device.Map, device);

        guest.Write(0x44, [0x03, 0x81]);

        Assert.Equal(0x000b, Read16(guest, 0x44));
        Assert.Equal(0x0003, Read16(guest, 0x42));
        Assert.Empty(device.Written);
    }

    [Fact]
    public void MSI_is_the_guests_own_and_begins_switched_off()
    {
        // Enabled by the host with an address, 64 bits, masks, up to 8 vectors.
        DeviceSpace device = new DeviceSpace().Add(0x40, Msi, 0x87, 0x01, 0x00, 0x10, 0xe0, 0xfe);
        GuestConfiguration guest = new(device.Map, device);

        Assert.Equal(0x40, device.Map.Msi);
        Assert.Equal(0x0186, Read16(guest, 0x42));
        Assert.Equal(0u, Read32(guest, 0x44));

        Span<byte> all = stackalloc byte[24];
        all.Fill(0xff);
        guest.Write(0x40, all);
        Assert.Equal(0x01f7, Read16(guest, 0x42));
        Assert.Equal(0xffff_fffcu, Read32(guest, 0x44));
        Assert.Equal(0xffff_ffffu, Read32(guest, 0x48));
        Assert.Equal(0xffff, Read16(guest, 0x4c));
        Assert.Equal(0xffff_ffffu, Read32(guest, 0x50));
        Assert.Equal(0u, Read32(guest, 0x54));
        Assert.Empty(device.Written);
    }

    [Fact]
    public void MSI_of_32_bits_without_masks_ends_behind_its_data()
    {
        DeviceSpace device = new DeviceSpace().Add(0x40, Msi, 0x00, 0x00);
        GuestConfiguration guest = new(device.Map, device);

        guest.Write(0x48, [0x31, 0x40]);
        guest.Write(0x4c, [1, 2, 3, 4]);

        Assert.Equal(0x4031, Read16(guest, 0x48));
        Assert.Equal(["4c: 01020304"], device.Written);
    }

    [Fact]
    public void Of_MSI_X_only_enable_and_mask_are_writable_and_the_table_is_where_the_device_has_it()
    {
        DeviceSpace device = new DeviceSpace().AddMsix(0x40, vectors: 65, table: 0x2000, pending: 0x3004);
        GuestConfiguration guest = new(device.Map, device);

        Assert.Equal(new MsixLayout(65, 0, 0x2000, 4, 0x3000), device.Map.MsixLayout);
        Assert.Equal(new(0x2000, 65 * 16), device.Map.MsixLayout!.Table);
        Assert.Equal(new(0x3000, 16), device.Map.MsixLayout!.Pending);
        Assert.Equal(64, Read16(guest, 0x42));
        guest.Write(0x42, [0xff, 0xff]);
        Assert.Equal(0xc000 | 64, Read16(guest, 0x42));
        Assert.Empty(device.Written);
    }

    [Fact]
    public void An_express_endpoint_becomes_one_of_the_root_complex_without_a_link()
    {
        DeviceSpace device = new DeviceSpace(4096).Add(0x40, Express, 0x02, 0x01);
        device.Bytes.AsSpan(0x44, 0x38).Fill(0x55);
        GuestConfiguration guest = new(device.Map, device);

        Assert.Equal(0x0092, Read16(guest, 0x42));
        Assert.Equal(0x5555_5555u, Read32(guest, 0x44)); // device capabilities
        Assert.Equal(0x5555_5555u, Read32(guest, 0x48)); // control and status
        Assert.Equal(0u, Read32(guest, 0x4c)); // link
        Assert.Equal(0u, Read32(guest, 0x50));
        Assert.Equal(0x5555_5555u, Read32(guest, 0x64)); // device capabilities 2
        Assert.Equal(0u, Read32(guest, 0x6c)); // link capabilities 2
        guest.Write(0x48, [0x00, 0x80]); // function level reset: VFIO's business
        Assert.Equal(["48: 0080"], device.Written);
    }

    [Fact]
    public void A_port_of_the_fabric_is_not_shown_as_express() =>
        Assert.Empty(Capabilities(new DeviceSpace(4096).Add(0x40, Express, 0x42, 0x01)));

    [Theory]
    [InlineData(new[] { 0x100, 0x140, 0x180 }, new[] { 0x03, 0x01, 0x0b }, new[] { 0x03, 0x0b })]
    [InlineData(new[] { 0x100, 0x140, 0x180 }, new[] { 0x01, 0x10, 0x03 }, new[] { 0xffff, 0x03 })]
    [InlineData(new[] { 0x100, 0x140 }, new[] { 0x01, 0x0f }, new int[0])]
    [InlineData(new[] { 0x100 }, new[] { 0x23 }, new[] { 0x23 })]
    [InlineData(new int[0], new int[0], new int[0])]
    public void Extended_capabilities_are_shown_where_they_tell_of_the_device_itself(int[] places, int[] ids, int[] shown)
    {
        DeviceSpace device = new(4096);
        foreach ((int at, int id) in places.Zip(ids))
            device.AddExtended(at, (ushort)id);

        Assert.Equal(shown, Extended(device));
    }

    [Fact]
    public void What_is_in_no_capability_is_the_devices()
    {
        DeviceSpace device = new();
        device.Bytes[0xa0] = 0x5a;
        GuestConfiguration guest = new(device.Map, device);

        guest.Write(0xa0, [0x11]);

        Assert.Equal(0x5a, Read16(guest, 0xa0));
        Assert.Equal(["a0: 11"], device.Written);
    }

    [Fact]
    public void A_register_that_is_partly_emulated_gives_the_device_its_own_bits_back()
    {
        DeviceSpace device = new DeviceSpace().Add(0x40, Vendor, 0x08, 0x77);
        GuestConfiguration guest = new(device.Map, device);

        guest.Write(0x40, [0xaa, 0xbb, 0xcc, 0xdd]);

        Assert.Equal(["40: 0900ccdd"], device.Written);
    }

    [Fact]
    public void Behind_the_end_all_bits_are_set_and_writes_go_nowhere()
    {
        DeviceSpace device = new();
        GuestConfiguration guest = new(device.Map, device);

        guest.Write(0x100, [1, 2, 3, 4]);

        Assert.Equal(0xffff_ffffu, Read32(guest, 0x100));
        Assert.Empty(device.Written);
    }

    [Fact]
    public void No_device_however_odd_makes_it_fail_or_lets_the_guest_write_its_interrupts() =>
        Gen.Byte.Array[256].Select(Gen.Bool).Sample(space =>
        {
            byte[] bytes = space.Item2 ? [.. space.Item1, .. Enumerable.Repeat(space.Item1, 15).SelectMany(part => part)] : space.Item1;
            ConfigurationMap map = new(bytes);
            if (map.Msi is { } msi)
                Assert.Equal(0xff, map.Emulated[msi + 4]);
            if (map.Msix is { } msix)
                Assert.Equal(0xff, map.Emulated[msix + 3]);
        }, iter: 2000);

    private static List<(int At, byte Id)> Capabilities(DeviceSpace device)
    {
        GuestConfiguration guest = new(device.Map, device);
        List<(int, byte)> found = [];
        Span<byte> header = stackalloc byte[2];
        for (int at = device.Map.First; at != 0; at = header[1])
        {
            guest.Read(at, header);
            found.Add((at, header[0]));
        }

        return found;
    }

    private static List<int> Extended(DeviceSpace device)
    {
        GuestConfiguration guest = new(device.Map, device);
        List<int> found = [];
        for (int at = 0x100; at != 0;)
        {
            uint header = Read32(guest, at);
            if (header == 0)
                break;
            found.Add((ushort)header);
            at = (int)(header >> 20);
        }

        return found;
    }

    private static ushort Read16(GuestConfiguration guest, int register)
    {
        Span<byte> data = stackalloc byte[2];
        guest.Read(register, data);
        return BinaryPrimitives.ReadUInt16LittleEndian(data);
    }

    private static uint Read32(GuestConfiguration guest, int register)
    {
        Span<byte> data = stackalloc byte[4];
        guest.Read(register, data);
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }
}
