using System.Text.Json;

namespace MiniVmm.Lab.Tests;

/// <summary><c>minivmm compare-qemu</c> where KVM is the ordinary kind: a test kernel, and a boot of Linux.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class CompareQemuTests
{
    [Fact]
    public async Task A_test_kernel_has_the_same_exits_under_both()
    {
        using JsonDocument document = await CompareAsync("compare-kernel", "--machine", "microvm", Lab.Guest("exit-code.elf"), "--append", "5");
        JsonElement root = document.RootElement;

        Assert.Equal((11, 11), (Of(root, "minivmm", "status"), Of(root, "qemu", "status")));
        Assert.Equal(JsonValueKind.Null, root.GetProperty("firstDifferentLine").ValueKind);
        Assert.True(Of(root, "minivmm", "kernelExits") > 10);
        Assert.DoesNotContain(Marks(root), mark => mark is "<" or ">");
    }

    [Fact]
    public async Task A_boot_of_Linux_is_compared_from_its_first_exit_to_its_last()
    {
        using JsonDocument document = await CompareAsync(
            "compare-linux", Lab.Guest("vmlinuz-cloud"), "--initrd", Lab.Guest("linux-initramfs.gz"), "--mem", "256M",
            "--append", "console=ttyS0 panic=-1 quiet lab.do=poweroff");
        JsonElement root = document.RootElement;

        foreach (string monitor in (string[])["minivmm", "qemu"])
        {
            Assert.Equal((0, 0), (Of(root, monitor, "status"), Of(root, monitor, "uncomparedExits")));
            Assert.Contains("lab: powering off", root.GetProperty(monitor).GetProperty("output").GetString(), StringComparison.Ordinal);
            Assert.InRange(Of(root, monitor, "kernelExits"), 200, 20_000);
        }

        Assert.Equal(0, Of(root, "minivmm", "firmwareExits"));
        Assert.InRange(Of(root, "qemu", "firmwareExits"), 500, 5000);
        Assert.Contains(root.GetProperty("calls").EnumerateArray(), call => call.GetProperty("name").GetString() == "KVM_CREATE_VM"
            && Of(call, "minivmm", "before") == 1 && Of(call, "qemu", "before") == 1);

        // Linux finds another PC under QEMU, and says the same over the same serial port.
        JsonElement serial = root.GetProperty("exits").EnumerateArray().Single(group => group.GetProperty("place").GetString() == "io COM1");
        Assert.InRange(Of(serial, "kernel", "count"), 50, 2 * Of(serial, "minivmm", "count"));
        Assert.True(Marks(root).Count(mark => mark == "=") > 50);
        Assert.DoesNotContain(root.GetProperty("notes").EnumerateArray(), note => note.GetString()!.Contains("could not be read", StringComparison.Ordinal));
        Assert.All(
            root.GetProperty("exits").EnumerateArray().Where(group => Of(group, "minivmm", "count") != Of(group, "kernel", "count")),
            group => Assert.False(string.IsNullOrEmpty(group.GetProperty("why").GetString()), $"no reason for {group}"));
    }

    private static async Task<JsonDocument> CompareAsync(string name, params string[] words)
    {
        await using VmmProcess process = VmmProcess.Start(name, Lab.MiniVmm, ["compare-qemu", "--json", .. words]);
        await process.AssertExitAsync(ExitStatus.Success);
        return JsonDocument.Parse(process.Output);
    }

    private static IEnumerable<string?> Marks(JsonElement root) =>
        root.GetProperty("vcpus")[0].GetProperty("rows").EnumerateArray().Select(row => row.GetProperty("mark").GetString());

    private static int Of(JsonElement element, string side, string member) => element.GetProperty(side).GetProperty(member).GetInt32();
}
