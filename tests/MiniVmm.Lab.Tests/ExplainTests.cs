namespace MiniVmm.Lab.Tests;

/// <summary><c>--explain=c</c> of a machine with Linux: the program boots it to its end.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class ExplainTests
{
    [Fact]
    public async Task The_C_program_of_a_machine_with_Linux_boots_it()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        string program = Path.Combine(folder, "machine");

        // 100 MB of source go through a file: this process would take minutes to read them here.
        await LabHost.MiniVmmAsync(
            $"run --explain=c --mem 256M --kernel '{Lab.Guest("vmlinuz-cloud")}' --initrd '{Lab.Guest("linux-initramfs.gz")}' "
            + $"--append 'console=ttyS0 panic=-1 quiet lab.do=report,poweroff' >{program}.c");
        await LabHost.ShellAsync($"gcc -O0 -Wall -Wextra -Werror -pthread -o {program} {program}.c");
        await using VmmProcess machine = VmmProcess.Start("explain-machine", "timeout", "80", program);
        await machine.AssertExitAsync(ExitStatus.Success);

        Assert.Contains("lab: end report\n", machine.Output, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^end: power-off; KVM_EXIT_IO [1-9][0-9]*, KVM_EXIT_MMIO 0$", machine.Errors);
    }
}
