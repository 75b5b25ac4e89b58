using System.ComponentModel;
using System.Diagnostics;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>A folder of disk images, and QEMU's tools for them (Debian's qemu-utils).</summary>
internal sealed class QemuImg : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("minivmm-qcow2-").FullName;

    public string PathOf(string name) => Path.Combine(_folder, name);

    /// <summary>Runs qemu-img there, and expects status 0.</summary>
    public string Run(params string[] arguments)
    {
        (int status, string text) = Status(arguments);
        Assert.True(status == 0, $"qemu-img {string.Join(' ', arguments)}: status {status}: {text}");
        return text;
    }

    /// <summary>Has qemu-io do some things to an image, one after the other.</summary>
    public void Io(string name, IEnumerable<string> commands)
    {
        (int status, string text) = Start(
            "qemu-io", ["-f", "qcow2", "-t", "unsafe", "-d", "unmap", .. commands.SelectMany(c => new[] { "-c", c }), name]);
        Assert.True(status == 0 && !text.Contains("failed", StringComparison.Ordinal), $"qemu-io: status {status}: {text}");
    }

    /// <summary>Runs qemu-img there.</summary>
    public (int Status, string Text) Status(params string[] arguments) => Start("qemu-img", arguments);

    /// <summary>Expects an image to be without errors and leaks.</summary>
    public void Check(string name) => Run("check", "-q", name);

    /// <summary>Expects an image to have the same contents as some bytes.</summary>
    public void Compare(string name, byte[] contents)
    {
        File.WriteAllBytes(PathOf("model.raw"), contents);
        Run("compare", "-q", "-f", "qcow2", "-F", "raw", name, "model.raw");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private (int Status, string Text) Start(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = _folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string text = process.StandardOutput.ReadToEnd() + errors.Result;
            process.WaitForExit();
            return (process.ExitCode, text);
        }
        catch (Win32Exception)
        {
            Assert.Fail($"{program} is not installed; `apt-get install qemu-utils` does it");
            throw;
        }
    }
}
