using System.Globalization;

namespace MiniVmm.Lab.Tests;

/// <summary>
/// A Linux guest with virtio devices that does what it is told, a line at a time (<c>lab.do=obey</c>), on its console.
/// </summary>
public sealed class GuestShell : IAsyncDisposable
{
    private GuestShell(VmmProcess vmm) => Vmm = vmm;

    public VmmProcess Vmm { get; }

    /// <summary>Boots, and waits until the guest listens.</summary>
    /// <param name="name">The transcript's.</param>
    /// <param name="kernelLine">Further arguments of the guest's kernel.</param>
    /// <param name="options">Of <c>minivmm run</c>, but for kernel, initrd and append.</param>
    public static async Task<GuestShell> StartAsync(string name, string kernelLine, params IEnumerable<string> options)
    {
        GuestShell guest = Start(name, kernelLine, options);
        await guest.ReadyAsync();
        return guest;
    }

    /// <summary>The same without waiting, so that several can boot at once.</summary>
    public static GuestShell Start(string name, string kernelLine, params IEnumerable<string> options) =>
        new(VmmProcess.Run(name, Arguments(kernelLine, options)));

    /// <summary>As <see cref="StartAsync"/>, with <c>minivmm</c> on a terminal of its own.</summary>
    public static async Task<GuestShell> StartOnTerminalAsync(
        string name, string kernelLine, params IEnumerable<string> options)
    {
        GuestShell guest = new(VmmProcess.RunOnTerminal(name, Arguments(kernelLine, options)));
        await guest.ReadyAsync();
        return guest;
    }

    /// <summary>As <see cref="StartAsync"/>, with <c>minivmm</c> called as QEMU, and its options.</summary>
    public static async Task<GuestShell> StartAsQemuAsync(string name, string kernelLine, params IEnumerable<string> options)
    {
        GuestShell guest = new(VmmProcess.RunAsQemu(
            name, Arguments(kernelLine, options).Select(word => word.StartsWith("--", StringComparison.Ordinal) ? word[1..] : word)));
        await guest.ReadyAsync();
        return guest;
    }

    /// <summary>As <see cref="StartAsync"/>, with Debian's stock kernel, which knows 9P.</summary>
    public static async Task<GuestShell> StartWithSharesAsync(string name, params IEnumerable<string> options)
    {
        GuestShell guest = new(VmmProcess.Run(name, Arguments("", options, "vmlinuz-amd64", "linux-share.gz")));
        await guest.ReadyAsync();
        return guest;
    }

    public async Task ReadyAsync() => await Vmm.WaitForAsync("lab: ready to obey\n");

    /// <summary>What a command printed, on either output; it must end with status 0.</summary>
    public async Task<string> RunAsync(string command)
    {
        (int status, string output) = await TryAsync(command);
        Assert.True(status == 0, $"In the guest, `{command}` ended with status {status}:\n{output}");
        return output;
    }

    /// <summary>A command's exit status, and what it printed.</summary>
    public async Task<(int Status, string Output)> TryAsync(string command)
    {
        await Vmm.SendLineAsync(command);
        string output = await Vmm.WaitForAsync("lab: status ");
        int status = int.Parse(await Vmm.WaitForAsync("\n"), CultureInfo.InvariantCulture);
        return (status, output.Trim());
    }

    /// <summary>A figure of the guest's /proc/meminfo, in KiB.</summary>
    public async Task<long> MemoryAsync(string key) =>
        long.Parse(
            await RunAsync($"sed -n 's/^{key}: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo"), CultureInfo.InvariantCulture);

    /// <summary>Has the guest power off; the machine must end with status 0.</summary>
    public async Task PowerOffAsync()
    {
        await Vmm.SendLineAsync("end");
        await Vmm.AssertExitAsync(ExitStatus.Success);
    }

    public ValueTask DisposeAsync() => Vmm.DisposeAsync();

    private static IEnumerable<string> Arguments(
        string kernelLine, IEnumerable<string> options, string kernel = "vmlinuz-cloud", string initrd = "linux-devices.gz") =>
    [
        "--kernel", Lab.Guest(kernel),
        "--initrd", Lab.Guest(initrd),
        "--append", $"console=ttyS0 panic=-1 quiet {kernelLine} lab.do=obey,poweroff",
        .. options,
    ];
}
