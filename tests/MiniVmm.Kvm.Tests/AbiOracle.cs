using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace MiniVmm.Kvm.Tests;

/// <summary>What native-tests/kvm_abi.c prints: the facts of the C compiler and &lt;linux/kvm.h&gt;.</summary>
public sealed class AbiOracle
{
    private const string Install = "install gcc and linux-libc-dev (Linux 6.1 or newer)";
    private readonly Dictionary<string, ulong> _numbers = [];
    private readonly Dictionary<string, (ulong Offset, ulong Size)> _fields = [];

    /// <summary>Compiles and runs the C program in a folder of its own.</summary>
    public AbiOracle()
        : this(CompileAndRun(Path.Combine(Repository(), "native-tests", "kvm_abi.c")))
    {
    }

    internal AbiOracle(string output)
    {
        foreach (string line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = line.Split(' ');
            switch (words)
            {
                case ["sizeof" or "const", _, string number]:
                    _numbers.Add($"{words[0]} {words[1]}", Decimal(number));
                    break;
                case ["ioctl", _, string number]:
                    _numbers.Add($"ioctl {words[1]}", Convert.ToUInt64(number, 16));
                    break;
                case ["field", string type, string path, string offset, string size]:
                    _fields.Add($"{type} {path}", (Decimal(offset), Decimal(size)));
                    break;
                default:
                    throw new FormatException($"kvm_abi printed a line that is not a fact: {line}");
            }
        }
    }

    /// <returns>A line for a person if the two sides differ or C has no such fact; else null.</returns>
    internal string? Compare(string kind, string name, ulong actual)
    {
        if (!_numbers.TryGetValue($"{kind} {name}", out ulong expected))
            return $"{name}: native-tests/kvm_abi.c has no {kind} line for it";
        return actual == expected ? null : $"{kind} {name}: 0x{actual:x} in C#, 0x{expected:x} in <linux/kvm.h>";
    }

    /// <inheritdoc cref="Compare"/>
    internal string? CompareField(string type, string path, ulong offset, ulong size)
    {
        if (!_fields.TryGetValue($"{type} {path}", out (ulong Offset, ulong Size) expected))
            return $"{type}.{path}: native-tests/kvm_abi.c has no field line for it";
        return (offset, size) == expected
            ? null
            : $"{type}.{path}: at {offset}, {size} bytes in C#; "
                + $"at {expected.Offset}, {expected.Size} bytes in <linux/kvm.h>";
    }

    private static ulong Decimal(string number) => ulong.Parse(number, CultureInfo.InvariantCulture);

    private static string Repository()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "MiniVmm.sln")))
                return folder.FullName;
        }

        throw new DirectoryNotFoundException($"no folder above {AppContext.BaseDirectory} has MiniVmm.sln");
    }

    private static string CompileAndRun(string source)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("kvm-abi-");
        try
        {
            string program = Path.Combine(folder.FullName, "kvm_abi");
            (int status, _, string errors) = Run("cc", "-Wall", "-Werror", source, "-o", program);
            Assert.True(status == 0, $"cc cannot compile {source}; {Install}:\n{errors}");
            (status, string output, _) = Run(program);
            Assert.True(status == 0, $"{program} ended with status {status}");
            return output;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static (int Status, string Output, string Errors) Run(string program, params string[] arguments)
    {
        try
        {
            var start = new ProcessStartInfo(program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, errors.GetAwaiter().GetResult());
        }
        catch (Win32Exception)
        {
            Assert.Fail($"cannot run {program}; {Install}");
            throw;
        }
    }
}
