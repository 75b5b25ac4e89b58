namespace MiniVmm.Lab.Tests;

/// <summary>How much memory of <c>--mem …,max=</c> a Linux guest has: asked for from outside, brought in by its virtio_mem driver.</summary>
public static class PluggedMemory
{
    /// <summary>Without it, memory that was plugged waits for somebody in the guest to switch it on.</summary>
    public const string Online = "memhp_default_state=online_movable";

    /// <summary>Asks for a size until the guest has it: on a slow lab, one command's patience may be too short.</summary>
    public static async Task<string> ResizeAsync(string name, string size)
    {
        for (int tries = 0; ; tries++)
        {
            (int status, string output, string errors) =
                await LabHost.TryShellAsync($"'{Lab.MiniVmm}' ctl {name} memory {size}");
            if (status == ExitStatus.Success)
                return output;
            Assert.True(status == ExitStatus.HostLimit && tries < 5, $"status {status}: {output}{errors}");
        }
    }
}
