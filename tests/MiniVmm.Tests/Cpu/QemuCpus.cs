using System.Diagnostics;
using System.Text.Json;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Cpu;

/// <summary>
/// What QEMU says of its CPU models, over QMP: the one that the lab runs on, or the system's. It runs no guest and needs no
/// KVM: expansion under TCG gives the definition of a model, supported by TCG or not, but for vme, which TCG has in no
/// model. That tells names, features, numbers and the last leaves. It does not tell caches, nor what QEMU changes in every
/// model under KVM: x2apic and KVM's features on; acpi, monitor and svm off; the host's vendor.
/// </summary>
public sealed class QemuCpus
{
    public QemuCpus()
    {
        (string program, Version) = Find();
        ProcessStartInfo start = new(program,
        [
            "-machine", "none,accel=tcg", "-nodefaults", "-no-user-config", "-display", "none", "-qmp", "stdio",
        ])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process qemu = Process.Start(start)!;
        try
        {
            qemu.ErrorDataReceived += (_, _) => { };
            qemu.BeginErrorReadLine();
            Ask(qemu, "qmp_capabilities");
            JsonElement definitions = Ask(qemu, "query-cpu-definitions");
            Names = [.. definitions.EnumerateArray().Select(model => model.GetProperty("name").GetString()!).Order(StringComparer.Ordinal)];
            Models = Names.Where(name => name is not ("host" or "max"))
                .ToDictionary(name => name, name => Expand(qemu, "static", name));
            Properties = [.. Expand(qemu, "full", "qemu64").EnumerateObject().Select(property => property.Name)];
            Ask(qemu, "quit");
            qemu.WaitForExit();
        }
        finally
        {
            if (!qemu.HasExited)
                qemu.Kill();
        }
    }

    /// <summary>QEMU's major version.</summary>
    public int Version { get; }

    /// <summary>All models, as <c>-cpu help</c> lists them.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Those that are not the host's, with their properties: features are booleans.</summary>
    public IReadOnlyDictionary<string, JsonElement> Models { get; }

    /// <summary>Everything that can be given behind a model's name.</summary>
    public IReadOnlyList<string> Properties { get; }

    private static JsonElement Expand(Process qemu, string type, string name) =>
        Ask(qemu, "query-cpu-model-expansion", $$"""{ "type": "{{type}}", "model": { "name": "{{name}}" } }""")
            .GetProperty("model").GetProperty("props");

    private static JsonElement Ask(Process qemu, string command, string arguments = "{}")
    {
        qemu.StandardInput.WriteLine($$"""{ "execute": "{{command}}", "arguments": {{arguments}} }""");
        qemu.StandardInput.Flush();
        while (qemu.StandardOutput.ReadLine() is { } line)
        {
            JsonElement answer = JsonDocument.Parse(line).RootElement;
            if (answer.TryGetProperty("return", out JsonElement result))
                return result;
            if (answer.TryGetProperty("error", out JsonElement error))
                throw new InvalidOperationException($"QEMU to {command} {arguments}: {error}");
        }

        throw new InvalidOperationException($"QEMU ended at {command} {arguments}");
    }

    private static (string Program, int Version) Find()
    {
        string cache = Environment.GetEnvironmentVariable("LAB_CACHE") is { Length: > 0 } folder
            ? folder
            : Path.Combine(Repository.Root, "out", "lab");
        string fetched = Path.Combine(cache, "qemu", "usr", "bin", "qemu-system-x86_64");
        if (Installed() is { } installed)
            return installed;

        // What make test does for its lab, a little later.
        (int status, _, string errors) = Run(Path.Combine(Repository.Root, "tests", "lab", "prepare"));
        return Installed() ?? throw new InvalidOperationException(
            $"CPU models are compared with QEMU's, and there is no QEMU: tests/lab/prepare ended with status {status}: {errors}");

        (string, int)? Installed() =>
            ((string[])[fetched, "qemu-system-x86_64"])
                .Select(program => (program, Version: MajorVersion(program)))
                .Where(found => found.Version is not null)
                .Select(found => ((string, int)?)(found.program, found.Version!.Value))
                .FirstOrDefault();
    }

    private static int? MajorVersion(string program)
    {
        try
        {
            (int status, string output, _) = Run(program, "--version");
            const string before = " version ";
            int at = output.IndexOf(before, StringComparison.Ordinal);
            return status == 0 && at >= 0 ? int.Parse(output[(at + before.Length)..].Split('.')[0]) : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null; // no such program
        }
    }

    private static (int Status, string Output, string Errors) Run(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }
}
