using System.Diagnostics;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Serve;

public sealed class SystemdUnitTests
{
    private static readonly string Unit =
        File.ReadAllText(Path.Combine(Repository.Root, "samples", "minivmm.service"));

    [Fact]
    public void Systemd_has_nothing_to_say_of_the_sample()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("minivmm-test-");
        try
        {
            string file = Path.Combine(folder.FullName, "minivmm.service");
            File.WriteAllText(file, Unit.Replace("/usr/local/bin/minivmm", "/bin/true", StringComparison.Ordinal));
            ProcessStartInfo start = new("systemd-analyze", ["verify", "--man=no", file]) { RedirectStandardError = true };

            using Process process = Process.Start(start)!; // of Debian's package systemd
            string errors = process.StandardError.ReadToEnd();
            process.WaitForExit();

            Assert.Equal(("", 0), (errors, process.ExitCode));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("Type=notify")]
    [InlineData("WatchdogSec=30")]
    [InlineData("ExecStart=/usr/local/bin/minivmm serve --metrics 9464 /etc/minivmm/machines.json")]
    public void The_sample_has_it(string line) => Assert.Contains(line, Unit.Split('\n'));
}
