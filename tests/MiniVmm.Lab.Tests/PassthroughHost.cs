using System.Text.Json;

namespace MiniVmm.Lab.Tests;

/// <summary>
/// The lab of <c>--iommu</c> as a host of passed devices: an NVMe disk, and a network card whose wire ends at a card of the
/// lab's own, behind which there are DHCP and HTTP.
/// </summary>
public sealed class PassthroughHost : IAsyncLifetime
{
    public const string Nvme = "0000:00:10.0";
    public const string Card = "0000:01:00.0";

    /// <summary>Two functions of one group.</summary>
    public const string Shared = "0000:00:12.0";
    public const string Sharing = "0000:00:12.1";

    /// <summary>One that cannot be reset.</summary>
    public const string Unresettable = "0000:00:13.0";

    /// <summary>The lab on the wire.</summary>
    public const string Address = "192.168.77.1";

    public const string Page = "Hello from the lab";

    private const string OwnCard = "0000:00:11.0";

    public async ValueTask InitializeAsync() =>
        await LabHost.ShellAsync("modprobe -a nvme virtio_net && "
            + $"card=$(ls /sys/bus/pci/devices/{OwnCard}/virtio*/net) && ip address add {Address}/24 dev $card && ip link set $card up && "
            + "dnsmasq --conf-file=/dev/null --port=0 --user=root --interface=$card --bind-interfaces --pid-file=/run/dnsmasq.pid "
            + "--dhcp-range=192.168.77.50,192.168.77.60 --dhcp-leasefile=/tmp/leases --dhcp-authoritative && "
            + $"mkdir /tmp/www && echo {Page} >/tmp/www/index.html && busybox httpd -p {Address}:80 -h /tmp/www");

    public async ValueTask DisposeAsync() => await LabHost.TryShellAsync("kill $(cat /run/dnsmasq.pid); busybox killall httpd");

    /// <summary>What <c>minivmm devices --json</c> says of a device.</summary>
    public static async Task<JsonElement> DescribeAsync(string address) =>
        JsonDocument.Parse(await LabHost.MiniVmmAsync("devices --json")).RootElement.EnumerateArray()
            .Single(device => device.GetProperty("address").GetString() == address);

    /// <summary>Makes a device ready, by the command that <c>minivmm devices</c> names.</summary>
    public static async Task MakeReadyAsync(string address)
    {
        JsonElement device = await DescribeAsync(address);
        if (!device.GetProperty("ready").GetBoolean())
            await LabHost.ShellAsync(device.GetProperty("command").GetString()!);
        Assert.True((await DescribeAsync(address)).GetProperty("ready").GetBoolean());
    }

    /// <summary>Binds one device alone to vfio-pci, whatever is in its group.</summary>
    public static Task BindAloneAsync(string address) =>
        LabHost.ShellAsync($"modprobe vfio-pci; cd /sys/bus/pci/devices/{address} && echo vfio-pci >driver_override && "
            + $"echo {address} >driver/unbind && echo {address} >/sys/bus/pci/drivers_probe");

    /// <summary>Gives a device back to the host's own driver.</summary>
    public static Task TakeBackAsync(string address) =>
        LabHost.ShellAsync($"cd /sys/bus/pci/devices/{address} && echo >driver_override && echo {address} >driver/unbind && "
            + $"echo {address} >/sys/bus/pci/drivers_probe");

    /// <summary>Takes the disk back and reads it on the host: the checksum of its first megabytes.</summary>
    public static async Task<string> ChecksumOnHostAsync(int mebibytes)
    {
        await TakeBackAsync(Nvme);
        string read = await LabHost.ShellAsync("for i in $(seq 100); do [ -b /dev/nvme0n1 ] && break; sleep 0.1; done; "
            + $"dd if=/dev/nvme0n1 bs=1M count={mebibytes} 2>/dev/null | sha256sum");
        return read.Split(' ')[0];
    }
}
