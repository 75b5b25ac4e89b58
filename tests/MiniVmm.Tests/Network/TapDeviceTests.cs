using MiniVmm.Host;
using MiniVmm.Network;

namespace MiniVmm.Tests.Network;

public sealed class TapDeviceTests
{
    [Theory]
    [InlineData(Errno.ENOENT, "no /dev/net/tun; load the module with `modprobe tun`, or use Net user")]
    [InlineData(Errno.EACCES, "; run minivmm as root, or use Net user")]
    [InlineData(Errno.EPERM, "; run minivmm as root, or use Net user")]
    [InlineData(Errno.EMFILE, "too many open files (EMFILE); raise the limit of open files (ulimit -n)")]
    [InlineData(Errno.ENFILE, "; raise the host's limit of open files (sysctl fs.file-max)")]
    [InlineData(Errno.ENOMEM, "; use Net user")]
    public void What_keeps_a_tap_from_being_opened_is_told_with_what_helps(int error, string end)
    {
        string message = TapDevice.NotOpened(error, OptionName.Net.With("tap=mvt0")).Message;

        Assert.StartsWith("Net tap=mvt0: ", message);
        Assert.EndsWith(end, message);
        Assert.Equal(error is Errno.EACCES or Errno.EPERM, message.Contains("as root", StringComparison.Ordinal));
    }
}
