namespace MiniVmm.Guest.Tests;

/// <summary>Runs <c>minivmm</c> as nobody, who may not open /dev/kvm.</summary>
internal static class OtherUser
{
    private const string Nobody = "65534";

    /// <summary>Runs with <c>hello.elf</c> as the kernel.</summary>
    public static async Task<MinivmmResult> RunHelloAsync(params IEnumerable<string> options)
    {
        Assert.True(Environment.IsPrivilegedProcess, "This test becomes another user, so it needs root.");
        if (File.Exists("/dev/kvm"))
        {
            Assert.True((File.GetUnixFileMode("/dev/kvm") & UnixFileMode.OtherWrite) == 0,
                "Here everybody may use /dev/kvm, so that nothing is to be seen: chmod o-rw /dev/kvm.");
        }

        // Copies, for the project's folder may be closed to other users.
        using TemporaryFolder folder = new();
        string program = folder["minivmm"], kernel = folder["hello.elf"];
        File.Copy(Built.MiniVmm, program);
        File.Copy(Built.Guest("hello.elf"), kernel);
        return await MinivmmProcess.RunProgramAsync("setpriv",
            ["--reuid", Nobody, "--regid", Nobody, "--clear-groups", program, "run", .. options, kernel]);
    }
}
