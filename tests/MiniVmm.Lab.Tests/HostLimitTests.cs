namespace MiniVmm.Lab.Tests;

/// <summary>Hosts on which nothing can run: the user is told which, in one line.</summary>
public sealed class HostLimitTests
{
    [Fact]
    [Trait(LabKind.Trait, LabKind.NoKvm)]
    public async Task Without_a_KVM_device_the_one_line_names_it()
    {
        Assert.False(File.Exists("/dev/kvm"));
        await using VmmProcess vmm = VmmProcess.Run("no-kvm", Lab.Guest("hello.elf"));
        vmm.CloseInput();

        await vmm.AssertExitAsync(ExitStatus.HostLimit);

        Assert.Contains("/dev/kvm", Assert.Single(vmm.ErrorLines));
        Assert.Equal("", vmm.Output);
    }

    [Fact]
    [Trait(LabKind.Trait, LabKind.Kvm)]
    public async Task A_file_system_that_fills_while_the_guest_runs_ends_it_and_is_named()
    {
        const string folder = "/tmp/small";
        await LabHost.ShellAsync($"mkdir -p {folder} && mount -t tmpfs -o size=256k tmpfs {folder}");
        await using VmmProcess vmm = VmmProcess.Run(
            "ram-full", "--mem", "64M", "--mem-path", folder, Lab.Guest("memory.elf"));
        vmm.CloseInput();

        await vmm.AssertExitAsync(ExitStatus.HostLimit);

        string line = Assert.Single(vmm.ErrorLines);
        Assert.StartsWith($"minivmm: --mem-path {folder}: the host could not provide ", line, StringComparison.Ordinal);
    }

    [Fact]
    [Trait(LabKind.Trait, LabKind.Kvm)]
    public async Task Without_permission_the_one_line_says_so()
    {
        const string nobody = "65534";
        Assert.True(File.Exists("/dev/kvm"));
        // A copy, for the project's folder may be closed to other users.
        DirectoryInfo open = Directory.CreateTempSubdirectory();
        open.UnixFileMode |= UnixFileMode.GroupRead | UnixFileMode.GroupExecute
            | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        string program = Path.Combine(open.FullName, "minivmm");
        string kernel = Path.Combine(open.FullName, "hello.elf");
        File.Copy(Lab.MiniVmm, program);
        File.Copy(Lab.Guest("hello.elf"), kernel);

        await using VmmProcess vmm = VmmProcess.Start("no-permission", "setpriv",
            ["--reuid", nobody, "--regid", nobody, "--clear-groups", program, "run", kernel]);
        vmm.CloseInput();
        await vmm.AssertExitAsync(ExitStatus.HostLimit);

        string line = Assert.Single(vmm.ErrorLines);
        Assert.Contains("/dev/kvm", line);
        Assert.Contains("permission", line, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("", vmm.Output);
    }
}
