namespace MiniVmm.Lab.Tests;

/// <summary>Starts Debian's cloud kernel with the project's initramfs (tests/lab/initramfs).</summary>
public static class LinuxGuest
{
    /// <summary>Starts <c>minivmm run</c> with this kernel, these actions, and further options.</summary>
    /// <remarks>
    /// Quiet: every character of the boot log costs the lab several exits; the guest can print it later.
    /// </remarks>
    public static VmmProcess Start(
        string name, string actions, IEnumerable<string> options, string kernel = "vmlinuz-cloud", bool quiet = true,
        string append = "") =>
        VmmProcess.Run(name,
        [
            "--kernel", Lab.Guest(kernel),
            "--initrd", Lab.Guest("linux-initramfs.gz"),
            "--append", $"console=ttyS0 panic=-1 {(quiet ? "quiet " : "")}lab.do={actions}{(append.Length > 0 ? $" {append}" : "")}",
            .. options,
        ]);

    /// <summary>Boots, takes the report, and waits for the end, which must be with status 0.</summary>
    public static async Task<GuestReport> ReportAsync(
        string name, IEnumerable<string> options, string kernel = "vmlinuz-cloud", string last = "poweroff")
    {
        await using VmmProcess vmm = Start(name, $"report,{last}", options, kernel);
        GuestReport report = await TakeReportAsync(vmm);
        await vmm.AssertExitAsync(ExitStatus.Success);
        return report;
    }

    public static async Task<GuestReport> TakeReportAsync(VmmProcess vmm)
    {
        await vmm.WaitForAsync(GuestReport.Begin);
        return new GuestReport(await vmm.WaitForAsync(GuestReport.End));
    }
}
