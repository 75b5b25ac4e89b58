using System.Text;
using System.Text.Json;
using MiniVmm.Tests.Passthrough;
using MiniVmm.Tools;

namespace MiniVmm.Tests.Cli;

public sealed class DevicesCommandTests
{
    [Fact]
    public void Each_function_has_a_line_with_its_names_and_what_is_in_its_way()
    {
        using HostPciTree host = HostPciTree.Typical(nvme: "vfio-pci").AddFile("/usr/share/misc/pci.ids", PciNamesTests.Text);

        Assert.Equal(
            [
                "0000:00:00.0|060000|Intel Corporation 29c0|-|0|bridge",
                "0000:00:01.0|060400|Intel Corporation 1234|pcieport|1|bridge",
                "0000:01:00.0|Non-Volatile memory controller|Red Hat, Inc. QEMU NVM Express Controller|vfio-pci|2|ready",
                "0000:02:00.0|Ethernet controller|Intel Corporation 10d3|e1000e|3|group in use",
                "0000:02:00.1|040300|Intel Corporation 2668|snd_hda_intel|3|group in use",
            ],
            DevicesCommand.Table(Look(host)).Rows.Select(row => string.Join('|', row)));
    }

    [Fact]
    public void Functions_that_need_the_same_share_a_remedy_and_bridges_have_none()
    {
        using HostPciTree host = new HostPciTree()
            .Add("0000:00:01.0", 0x8086, 0x1234, 0x060400, "pcieport", group: null)
            .Add("0000:01:00.0", 0x1b36, 0x0010, 0x010802, "nvme", group: null)
            .Add("0000:02:00.0", 0x8086, 0x10d3, 0x020000, "e1000e", group: null);

        Assert.Equal(
            ["0000:01:00.0, 0000:02:00.0: the host has no IOMMU; "
                + "if its processor has one, switch VT-d or AMD-Vi on in its firmware's setup"],
            DevicesCommand.Remedies(Look(host)));
    }

    [Fact]
    public void JSON_has_numbers_names_and_the_command()
    {
        using HostPciTree host = HostPciTree.Typical().AddFile("/usr/share/misc/pci.ids", PciNamesTests.Text);
        using MemoryStream output = new();
        using (Utf8JsonWriter writer = new(output))
            DevicesCommand.WriteJson(writer, Look(host));

        using JsonDocument document = JsonDocument.Parse(Encoding.UTF8.GetString(output.ToArray()));
        JsonElement nvme = document.RootElement[2];
        Assert.Equal("0000:01:00.0", nvme.GetProperty("address").GetString());
        Assert.Equal("010802", nvme.GetProperty("class").GetProperty("id").GetString());
        Assert.Equal("Red Hat, Inc.", nvme.GetProperty("vendor").GetProperty("name").GetString());
        Assert.Equal("nvme", nvme.GetProperty("driver").GetString());
        Assert.Equal(2, nvme.GetProperty("iommuGroup").GetInt32());
        Assert.False(nvme.GetProperty("ready").GetBoolean());
        Assert.Equal("not bound", nvme.GetProperty("obstacle").GetString());
        Assert.StartsWith("d=0000:01:00.0; ", nvme.GetProperty("command").GetString(), StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Null, document.RootElement[0].GetProperty("driver").ValueKind);
    }

    private static IReadOnlyList<DevicesCommand.Row> Look(HostPciTree host) => DevicesCommand.Look(host.Files, _ => true);
}
