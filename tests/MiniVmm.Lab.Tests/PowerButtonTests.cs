namespace MiniVmm.Lab.Tests;

/// <summary>Linux and its ACPI power button, pressed by <c>minivmm ctl NAME powerdown</c>.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class PowerButtonTests
{
    private const string Name = "lab-power-button";
    private const string Handler = "/etc/acpi/PWRF/00000080";
    private const string Presses = "/tmp/presses";

    [Fact]
    public async Task Each_press_is_one_interrupt_and_Linux_shuts_down_by_itself()
    {
        await using GuestShell guest = await GuestShell.StartAsync(
            "power-button", "", "--mem", "256M", "--smp", "2", "--name", Name);
        await guest.RunAsync($"mkdir -p {Path.GetDirectoryName(Handler)}");
        await HandleAsync(guest, $"echo >>{Presses}");
        await guest.RunAsync($": >{Presses}; acpid -l /tmp/acpid.log");
        await guest.RunAsync("until ls -l /proc/$(pidof acpid)/fd | grep -q /dev/input/event; do usleep 20000; done");

        for (int press = 1; press <= 3; press++)
        {
            await PressAsync();
            await guest.RunAsync($"until [ $(wc -l <{Presses}) -eq {press} ]; do usleep 20000; done");
        }

        // ACPICA's own counts: the button's events, the interrupts, and those interrupts that nothing had caused.
        Assert.Equal("3", await CountAsync(guest, "ff_pwr_btn"));
        Assert.Equal("3", await CountAsync(guest, "sci"));
        Assert.Equal("0", await CountAsync(guest, "sci_not"));

        await HandleAsync(guest, "poweroff -f");
        await PressAsync();
        await guest.Vmm.AssertExitAsync(ExitStatus.Success);
    }

    private static async Task PressAsync() => await LabHost.MiniVmmAsync($"ctl {Name} powerdown");

    /// <summary>What acpid is to run when the button is pressed.</summary>
    private static async Task HandleAsync(GuestShell guest, string command) =>
        await guest.RunAsync($"printf '#!/bin/sh\\n{command}\\n' >{Handler} && chmod +x {Handler}");

    private static Task<string> CountAsync(GuestShell guest, string counter) =>
        guest.RunAsync($"awk '{{ print $1 }}' /sys/firmware/acpi/interrupts/{counter}");
}
