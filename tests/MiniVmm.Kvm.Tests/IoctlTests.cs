using CsCheck;
using MiniVmm.Host;

namespace MiniVmm.Kvm.Tests;

public sealed class IoctlTests
{
    [Fact]
    public void Numbers_are_those_that_strace_shows()
    {
        Assert.Equal(0xae80u, Ioctl.IO(0xae, 0x80)); // KVM_RUN
        Assert.Equal(0x8090ae81u, Ioctl.IOR<kvm_regs>(0xae, 0x81)); // KVM_GET_REGS
        Assert.Equal(0x4020ae46u, Ioctl.IOW(0xae, 0x46, 32)); // KVM_SET_USER_MEMORY_REGION
        Assert.Equal(0xc008ae05u, Ioctl.IOWR(0xae, 0x05, 8)); // KVM_GET_SUPPORTED_CPUID
        Assert.Equal(0x400454cau, Ioctl.IOW<int>((byte)'T', 202)); // TUNSETIFF
        Assert.Equal(0x80086601u, Ioctl.IOR<long>((byte)'f', 1)); // FS_IOC_GETFLAGS
    }

    [Fact]
    public void Every_part_can_be_read_back() =>
        Gen.Select(Gen.Byte, Gen.Byte, Gen.UInt[0, Ioctl.MaxSize]).Sample(
            (type, nr, size) =>
            {
                uint number = Ioctl.IOWR(type, nr, size);
                Assert.Equal(nr, (byte)number);
                Assert.Equal(type, (byte)(number >> 8));
                Assert.Equal(size, number >> 16 & Ioctl.MaxSize);
                Assert.Equal(3u, number >> 30);
                Assert.Equal(number, Ioctl.IOR(type, nr, size) | Ioctl.IOW(type, nr, size));
            },
            iter: 500);

    [Fact]
    public void An_argument_that_14_bits_cannot_tell_the_size_of_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Ioctl.IOR(0xae, 1, Ioctl.MaxSize + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Ioctl.IOW(0xae, 1, uint.MaxValue));
    }
}
