using CsCheck;
using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Tests.Execution;

public sealed unsafe class ExitDecoderTests
{
    [Theory]
    [InlineData(KvmExitReason.KVM_EXIT_SHUTDOWN, ExitKind.TripleFault)]
    [InlineData(KvmExitReason.KVM_EXIT_INTERNAL_ERROR, ExitKind.InternalError)]
    [InlineData(KvmExitReason.KVM_EXIT_FAIL_ENTRY, ExitKind.FailedEntry)]
    [InlineData(KvmExitReason.KVM_EXIT_INTR, ExitKind.Nothing)]
    [InlineData(KvmExitReason.KVM_EXIT_IRQ_WINDOW_OPEN, ExitKind.Nothing)]
    [InlineData(KvmExitReason.KVM_EXIT_SET_TPR, ExitKind.Nothing)]
    [InlineData(KvmExitReason.KVM_EXIT_UNKNOWN, ExitKind.Unhandled)]
    [InlineData(KvmExitReason.KVM_EXIT_EXCEPTION, ExitKind.Unhandled)]
    [InlineData(KvmExitReason.KVM_EXIT_HYPERCALL, ExitKind.Unhandled)]
    [InlineData(KvmExitReason.KVM_EXIT_DEBUG, ExitKind.Debug)]
    [InlineData(KvmExitReason.KVM_EXIT_HLT, ExitKind.Halt)]
    [InlineData(KvmExitReason.KVM_EXIT_TPR_ACCESS, ExitKind.Unhandled)]
    [InlineData(KvmExitReason.KVM_EXIT_NMI, ExitKind.Unhandled)]
    [InlineData(KvmExitReason.KVM_EXIT_IOAPIC_EOI, ExitKind.Unhandled)]
    [InlineData(KvmExitReason.KVM_EXIT_HYPERV, ExitKind.Unhandled)]
    [InlineData(KvmExitReason.KVM_EXIT_X86_RDMSR, ExitKind.UnknownMsr)]
    [InlineData(KvmExitReason.KVM_EXIT_X86_WRMSR, ExitKind.UnknownMsr)]
    [InlineData(KvmExitReason.KVM_EXIT_DIRTY_RING_FULL, ExitKind.Unhandled)]
    [InlineData(KvmExitReason.KVM_EXIT_AP_RESET_HOLD, ExitKind.Unhandled)]
    [InlineData(KvmExitReason.KVM_EXIT_X86_BUS_LOCK, ExitKind.Unhandled)]
    [InlineData(KvmExitReason.KVM_EXIT_XEN, ExitKind.Unhandled)]
    [InlineData(KvmExitReason.KVM_EXIT_NOTIFY, ExitKind.Unhandled)]
    [InlineData(KvmExitReason.KVM_EXIT_MEMORY_FAULT, ExitKind.Unhandled)]
    [InlineData((KvmExitReason)uint.MaxValue, ExitKind.Unhandled)]
    public void Each_reason_without_data_has_its_kind(KvmExitReason reason, Enum kind)
    {
        using KvmRunPage page = new(reason);

        Assert.Equal((ExitKind)kind, page.Decode());
    }

    [Fact]
    public void Every_reason_that_the_ABI_names_is_decided_on()
    {
        KvmExitReason[] withData =
            [KvmExitReason.KVM_EXIT_IO, KvmExitReason.KVM_EXIT_MMIO, KvmExitReason.KVM_EXIT_SYSTEM_EVENT];
        IEnumerable<KvmExitReason> tested = typeof(ExitDecoderTests)
            .GetMethod(nameof(Each_reason_without_data_has_its_kind))!
            .GetCustomAttributes(typeof(InlineDataAttribute), false)
            .Select(row => (KvmExitReason)((InlineDataAttribute)row).Data[0]!);

        Assert.Empty(Enum.GetValues<KvmExitReason>().Except(withData).Except(tested));
    }

    [Theory]
    [InlineData(0, 1, 1, ExitKind.PortRead)]
    [InlineData(1, 1, 1, ExitKind.PortWrite)]
    [InlineData(0, 2, 1, ExitKind.PortRead)]
    [InlineData(1, 4, 1, ExitKind.PortWrite)]
    [InlineData(1, 1, 4096, ExitKind.PortWrite)]
    [InlineData(0, 4, 1024, ExitKind.PortRead)]
    public void A_port_exit_tells_of_all_its_items(byte direction, byte size, uint count, Enum kind)
    {
        using KvmRunPage page = KvmRunPage.Port(direction, size, count, offset: 4096);

        ExitDecoder.Decode(page.Run, KvmRunPage.Length, out VmExit exit);

        Assert.Equal(((ExitKind)kind, 0x3f8UL, (int)size, count), (exit.Kind, exit.Address, exit.Size, exit.Count));
        Assert.Equal(4096, exit.Data - (byte*)page.Run);
    }

    [Theory]
    [InlineData(1, 1, 8192)]
    [InlineData(4, 1, 8189)]
    [InlineData(1, 4097, 4096)]
    [InlineData(4, 1025, 4096)]
    [InlineData(4, uint.MaxValue, 4096)]
    [InlineData(1, 1, 8193)]
    [InlineData(1, 0, 8193)]
    [InlineData(1, 1, ulong.MaxValue)]
    [InlineData(4, 1, ulong.MaxValue - 3)]
    [InlineData(1, 1, 0x8000_0000_0000_0000)]
    [InlineData(0, 1, 4096)]
    [InlineData(3, 1, 4096)]
    [InlineData(8, 1, 4096)]
    [InlineData(255, 1, 4096)]
    public void A_port_exit_with_data_outside_the_mapping_or_an_impossible_size_is_unhandled(
        byte size, uint count, ulong offset)
    {
        using KvmRunPage page = KvmRunPage.Port(1, size, count, offset);

        Assert.Equal(ExitKind.Unhandled, page.Decode());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void A_memory_exit_tells_its_address_and_its_bytes(uint length)
    {
        using KvmRunPage page = new(KvmExitReason.KVM_EXIT_MMIO);
        page.Run->mmio.phys_addr = 0xfee0_0000_1234;
        page.Run->mmio.len = length;
        page.Run->mmio.data[0] = 0x42;

        ExitDecoder.Decode(page.Run, KvmRunPage.Length, out VmExit exit);
        Assert.Equal(
            (ExitKind.MmioRead, 0xfee0_0000_1234UL, (int)length, 1u), (exit.Kind, exit.Address, exit.Size, exit.Count));
        *exit.Data = 0x43;
        Assert.Equal(0x43, page.Run->mmio.data[0]);

        page.Run->mmio.is_write = 1;
        Assert.Equal(ExitKind.MmioWrite, page.Decode());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    [InlineData(uint.MaxValue)]
    public void A_memory_exit_of_an_impossible_length_is_unhandled(uint length)
    {
        using KvmRunPage page = new(KvmExitReason.KVM_EXIT_MMIO);
        page.Run->mmio.len = length;
        page.Run->mmio.is_write = 1;

        Assert.Equal(ExitKind.Unhandled, page.Decode());
    }

    [Theory]
    [InlineData(KvmConstants.KVM_SYSTEM_EVENT_SHUTDOWN, ExitKind.SystemShutdown)]
    [InlineData(KvmConstants.KVM_SYSTEM_EVENT_RESET, ExitKind.SystemReset)]
    [InlineData(KvmConstants.KVM_SYSTEM_EVENT_CRASH, ExitKind.Unhandled)]
    [InlineData(0, ExitKind.Unhandled)]
    [InlineData(uint.MaxValue, ExitKind.Unhandled)]
    public void A_system_event_is_a_shutdown_a_reset_or_unhandled(uint type, Enum kind)
    {
        using KvmRunPage page = new(KvmExitReason.KVM_EXIT_SYSTEM_EVENT);
        page.Run->system_event.type = type;

        Assert.Equal((ExitKind)kind, page.Decode());
    }

    [Fact]
    public void No_page_whatever_it_holds_gives_data_outside_the_mapping() =>
        Gen.Select(
            Gen.Frequency((3, Gen.OneOf(Gen.Const(2u), Gen.Const(6u))), (1, Gen.UInt[0, 40]), (1, Gen.UInt)),
            Gen.Byte.Array[300],
            Gen.Bool,
            Gen.OneOf(Gen.ULong[0, 9000], Gen.ULong),
            Gen.OneOf(Gen.UInt[0, 9000], Gen.UInt)).Sample(
            (reason, bytes, plausible, offset, count) =>
            {
                using KvmRunPage page = new((KvmExitReason)reason);
                bytes.CopyTo(page.Bytes[32..]);
                if (plausible)
                {
                    page.Run->io.size = (byte)(1 << (bytes[1] % 3));
                    page.Run->io.count = count;
                    page.Run->io.data_offset = offset;
                    page.Run->mmio.len = page.Run->mmio.len % 10;
                }

                ExitDecoder.Decode(page.Run, KvmRunPage.Length, out VmExit exit);

                if (exit.Kind
                    is not (ExitKind.PortRead or ExitKind.PortWrite or ExitKind.MmioRead or ExitKind.MmioWrite))
                    return;
                Assert.True(exit.Data >= page.Run);
                UInt128 end = (UInt128)(ulong)(exit.Data - (byte*)page.Run) + (UInt128)exit.Size * exit.Count;
                Assert.True(end <= KvmRunPage.Length);
                bool port = exit.Kind is ExitKind.PortRead or ExitKind.PortWrite;
                Assert.Contains(exit.Size, port ? [1, 2, 4] : Enumerable.Range(1, 8));
            },
            iter: 2000, threads: 1);
}
