namespace MiniVmm.Guest.Tests;

/// <summary>Runs <c>minivmm</c> as nobody, who may not open /dev/kvm.</summary>
internal static class OtherUser
{
    private const string Nobody = "65534";

    /// <summary>Runs <c>minivmm run</c> with <c>hello.elf</c> as the kernel.</summary>
    public static async Task<MinivmmResult> RunHelloAsync(params IEnumerable<string> options)
    {
        using TemporaryFolder folder = new();
        string kernel = folder["hello.elf"];
        File.Copy(Built.Guest("hello.elf"), kernel);
        return await RunAsync(folder, ["run", .. options, kernel]);
    }

    /// <summary>Runs <c>minivmm</c> with these arguments.</summary>
    public static async Task<MinivmmResult> RunAsync(params IEnumerable<string> arguments)
    {
        using TemporaryFolder folder = new();
        return await RunAsync(folder, arguments);
    }

    private static async Task<MinivmmResult> RunAsync(TemporaryFolder folder, IEnumerable<string> arguments)
    {
        Assert.True(Environment.IsPrivilegedProcess, "This test becomes another user, so it needs root.");

        // A copy, for the project's folder may be closed to other users.
        string program = folder["minivmm"];
        File.Copy(Built.MiniVmm, program);
        File.Copy(Built.Tools, folder[Path.GetFileName(Built.Tools)]);
        string[] asNobody = ["setpriv", "--reuid", Nobody, "--regid", Nobody, "--clear-groups", program];
        return await MinivmmProcess.RunProgramAsync("env", [.. ClosedKvm(folder), .. asNobody, .. arguments]);
    }

    /// <summary>Where all may use /dev/kvm: what lays a file of root's over it for the command behind.</summary>
    private static IEnumerable<string> ClosedKvm(TemporaryFolder folder)
    {
        if (!File.Exists("/dev/kvm") || (File.GetUnixFileMode("/dev/kvm") & UnixFileMode.OtherWrite) == 0)
            return [];
        string closed = folder.Write("closed", []);
        File.SetUnixFileMode(closed, UnixFileMode.None);
        return ["unshare", "--mount", "sh", "-c", "mount --bind \"$0\" /dev/kvm && exec \"$@\"", closed];
    }
}
