using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Execution;

/// <summary>What the loop makes of an exit, by pages made by hand: no vCPU is needed for that.</summary>
public sealed unsafe class RunLoopTests : IDisposable
{
    private const ulong RamSize = 2 * MemoryLayout.MiB;
    private const ulong Device = 0xd000_0000;
    private readonly Lifecycle _lifecycle = new();
    private readonly RamBacking _backing = RamBacking.Allocate(new(RamSize), RamSize);
    private readonly RunLoop _loop;

    public RunLoopTests()
    {
        Bus memory = new("memory", ulong.MaxValue);
        memory.Add(new Register(), "register", Device, 8);
        _loop = new RunLoop(
            3, null!, new Bus("port", 0xffff), memory, _lifecycle, new VcpuStatistics(),
            ram: _backing.Slots(new GuestMemoryMap(RamSize)));
    }

    public void Dispose()
    {
        _lifecycle.Dispose();
        _backing.Dispose();
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(0xb8000, true)]
    [InlineData(RamSize - 1, false)]
    [InlineData(RamSize - 1, true)]
    public void A_memory_exit_in_RAM_ends_the_machine_because_the_host_has_no_page(ulong address, bool write)
    {
        Serve(address, write);

        Assert.Equal(new StopReason(StopKind.RamUnavailable, 3), _lifecycle.Reason);
        Assert.True(_lifecycle.Reason.IsHostLimit);
        Assert.Equal(address, _loop.UnavailableAddress);
    }

    [Theory]
    [InlineData(RamSize, false)]
    [InlineData(RamSize, true)]
    [InlineData(Device + 8, true)]
    [InlineData(ulong.MaxValue, false)]
    public void Where_nothing_is_the_guest_reads_all_ones_and_goes_on(ulong address, bool write)
    {
        byte read = Serve(address, write);

        Assert.False(_lifecycle.IsStopping);
        Assert.Null(_loop.UnavailableAddress);
        Assert.Equal(write ? 0 : 0xff, read);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_device_gets_what_is_its_own(bool write)
    {
        byte read = Serve(Device, write);

        Assert.False(_lifecycle.IsStopping);
        Assert.Equal(write ? 0 : Register.Value, read);
    }

    [Theory]
    [InlineData(KvmExitReason.KVM_EXIT_MEMORY_FAULT, 0x12_3000UL)]
    [InlineData(KvmExitReason.KVM_EXIT_UNKNOWN, null)]
    public void EFAULT_is_a_page_that_the_host_has_not_and_newer_kernels_name_it(KvmExitReason reason, ulong? address)
    {
        using KvmRunPage page = new(reason);
        ((ulong*)page.Run->padding)[1] = 0x12_3000;

        Assert.False(_loop.Reenter(page.Run, Errno.EFAULT));

        Assert.Equal(new StopReason(StopKind.RamUnavailable, 3), _lifecycle.Reason);
        Assert.Equal(address, _loop.UnavailableAddress);
    }

    [Fact]
    public void Another_error_of_KVM_RUN_is_a_crash()
    {
        using KvmRunPage page = new(KvmExitReason.KVM_EXIT_UNKNOWN);

        Assert.False(_loop.Reenter(page.Run, Errno.EIO));

        Assert.Equal(new StopReason(StopKind.Crash, 3), _lifecycle.Reason);
        Assert.Equal(Errno.EIO, _loop.EntryError);
    }

    private byte Serve(ulong address, bool write)
    {
        using KvmRunPage page = new(KvmExitReason.KVM_EXIT_MMIO);
        page.Run->mmio.phys_addr = address;
        page.Run->mmio.len = 1;
        page.Run->mmio.is_write = write ? (byte)1 : (byte)0;
        ExitDecoder.Decode(page.Run, KvmRunPage.Length, out VmExit exit);
        _loop.Serve(in exit);
        return page.Run->mmio.data[0];
    }

    private sealed class Register : IBusDevice
    {
        public const byte Value = 0x42;

        public void Read(ulong offset, Span<byte> data) => data.Fill(Value);

        public void Write(ulong offset, ReadOnlySpan<byte> data)
        {
        }
    }
}
