using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Pci;

namespace MiniVmm.Tests.Pci;

/// <summary>Messages, masks and pending bits.</summary>
public sealed class MsixTableTests : IDisposable
{
    private readonly FakeMessageLine[] _lines = [.. Enumerable.Range(0, 70).Select(_ => new FakeMessageLine())];
    private readonly MsixTable _table;

    public MsixTableTests() => _table = new([.. _lines]);

    public void Dispose() => _table.Dispose();

    [Fact]
    public void A_vector_sends_its_message_once_it_is_unmasked()
    {
        _table.SetControl(enabled: true, functionMasked: false);
        SetMessage(3, 0xfee0_1000, 0x41);
        _table.Trigger(3);
        Assert.Equal((0, 1UL << 3), (_lines[3].Sent.Count, Pending(0)));

        Mask(3, masked: false);
        _table.Trigger(3);
        Assert.Equal([(0xfee0_1000UL, 0x41u), (0xfee0_1000UL, 0x41u)], _lines[3].Sent);
        Assert.Equal(0UL, Pending(0));
    }

    [Fact]
    public void What_comes_while_it_is_masked_comes_once_and_later()
    {
        _table.SetControl(enabled: true, functionMasked: false);
        SetMessage(69, 0xfee0_0000, 0x30);
        Mask(69, masked: false);
        Mask(69, masked: true);
        _table.Trigger(69);
        _table.Trigger(69);
        Assert.Equal((0, 1UL << 5), (_lines[69].Sent.Count, Pending(8)));

        Mask(69, masked: false);
        Assert.Single(_lines[69].Sent);
        Assert.Equal(0UL, Pending(8));
    }

    [Fact]
    public void A_vector_that_is_moved_sends_to_the_new_place()
    {
        _table.SetControl(enabled: true, functionMasked: false);
        SetMessage(0, 0xfee0_0000, 0x30);
        Mask(0, masked: false);
        _table.Trigger(0);
        SetMessage(0, 0xfee0_2000, 0x31); // without a mask, as kernels do
        _table.Trigger(0);
        Assert.Equal([(0xfee0_0000UL, 0x30u), (0xfee0_2000UL, 0x31u)], _lines[0].Sent);
    }

    [Theory]
    [InlineData(0x0000_0000UL)]
    [InlineData(0x0010_0000UL)] // RAM
    [InlineData(0x1_fee0_0000UL)] // which the fake KVM refuses
    public void A_message_to_elsewhere_is_not_sent(ulong address)
    {
        _table.SetControl(enabled: true, functionMasked: false);
        SetMessage(0, 0xfee0_0000, 0x30);
        Mask(0, masked: false);
        SetMessage(0, address, 0x31);
        _table.Trigger(0);
        Assert.Equal((0, 1UL), (_lines[0].Sent.Count, Pending(0)));

        SetMessage(0, 0xfee0_0000, 0x32);
        Assert.Equal((0xfee0_0000UL, 0x31u), Assert.Single(_lines[0].Sent)); // the data comes after the address
    }

    [Fact]
    public void The_functions_mask_holds_all_of_them_back()
    {
        _table.SetControl(enabled: true, functionMasked: true);
        SetMessage(0, 0xfee0_0000, 0x30);
        SetMessage(1, 0xfee0_0000, 0x31);
        Mask(0, masked: false);
        Mask(1, masked: false);
        _table.Trigger(0);
        Assert.Equal((0, 1UL), (_lines[0].Sent.Count, Pending(0)));

        _table.SetControl(enabled: true, functionMasked: false);
        Assert.Equal((1, 0, 0UL), (_lines[0].Sent.Count, _lines[1].Sent.Count, Pending(0)));
    }

    [Fact]
    public void Switched_off_it_forgets_what_was_pending()
    {
        _table.SetControl(enabled: true, functionMasked: false);
        _table.Trigger(2);
        _table.SetControl(enabled: false, functionMasked: false);
        Assert.Equal(0UL, Pending(0));
        Assert.False(_lines[2].IsConnected);
    }

    [Fact]
    public void The_mask_is_all_that_vector_control_has()
    {
        Write((5 * 16) + 12, uint.MaxValue);
        Assert.Equal(1u, Read32((5 * 16) + 12));
        Write(_table.PendingOffset, uint.MaxValue); // read-only
        Assert.Equal(0UL, Pending(0));
    }

    [Fact]
    public void Accesses_of_any_width_anywhere_never_fail()
    {
        Random random = new(1);
        byte[] data = new byte[8];
        for (int i = 0; i < 50_000; i++)
        {
            int width = 1 << random.Next(4);
            ulong offset = (ulong)random.Next((int)_table.Length - width + 1);
            random.NextBytes(data);
            if (random.Next(4) == 0)
                _table.SetControl(random.Next(2) == 0, random.Next(2) == 0);
            _table.Trigger(random.Next(_table.Count));
            _table.Write(offset, data.AsSpan(0, width));
            _table.Read(offset, data.AsSpan(0, width));
        }
    }

    [Theory]
    [InlineData(1, 0x800u, 0x1000UL)]
    [InlineData(128, 0x800u, 0x1000UL)]
    [InlineData(129, 0x1000u, 0x2000UL)]
    [InlineData(2048, 0x8000u, 0x10000UL)]
    public void Its_window_holds_the_table_and_the_pending_bits(int vectors, uint pending, ulong length)
    {
        using MsixTable table = new([.. Enumerable.Range(0, vectors).Select(_ => new FakeMessageLine())]);
        Assert.Equal((pending, length), (table.PendingOffset, table.Length));
    }

    [Fact]
    public void A_saved_vector_that_was_pending_is_sent_by_the_other_table()
    {
        _table.SetControl(enabled: true, functionMasked: false);
        SetMessage(1, 0xfee0_0000, 0x55);
        _table.Trigger(1);
        FakeMessageLine[] lines = [.. Enumerable.Range(0, 70).Select(_ => new FakeMessageLine())];
        using MsixTable other = new([.. lines]);

        StateReader.Restore(other, StateWriter.Save(_table));
        other.SetControl(enabled: true, functionMasked: false);
        Assert.Empty(lines[1].Sent);
        other.Write(16 + 12, [0, 0, 0, 0]);
        Assert.Equal([(0xfee0_0000UL, 0x55u)], lines[1].Sent);
    }

    private void SetMessage(int vector, ulong address, uint data)
    {
        Write((uint)vector * 16, (uint)address);
        Write(((uint)vector * 16) + 4, (uint)(address >> 32));
        Write(((uint)vector * 16) + 8, data);
    }

    private void Mask(int vector, bool masked) => Write(((uint)vector * 16) + 12, masked ? 1u : 0);

    private void Write(uint offset, uint value)
    {
        byte[] data = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        _table.Write(offset, data);
    }

    private uint Read32(uint offset)
    {
        byte[] data = new byte[4];
        _table.Read(offset, data);
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }

    private ulong Pending(uint offset)
    {
        byte[] data = new byte[8];
        _table.Read(_table.PendingOffset + offset, data);
        return BinaryPrimitives.ReadUInt64LittleEndian(data);
    }
}
