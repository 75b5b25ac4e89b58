using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MiniVmm.Tests;

/// <summary>What a program of native-tests prints: the facts of the C compiler and a header of the kernel's.</summary>
public sealed class AbiOracle
{
    private const string Install = "install gcc and linux-libc-dev (Linux 6.1 or newer)";
    private readonly string _program;
    private readonly string _header;
    private readonly Dictionary<string, ulong> _numbers = [];
    private readonly Dictionary<string, (ulong Offset, ulong Size)> _fields = [];

    /// <summary>Compiles and runs the C program in a folder of its own.</summary>
    /// <param name="program">Its file in native-tests: <c>kvm_abi.c</c>.</param>
    /// <param name="header">Whose facts it prints, for messages.</param>
    public AbiOracle(string program, string header)
        : this(program, header, CompileAndRun(Path.Combine(Repository(), "native-tests", program)))
    {
    }

    internal AbiOracle(string program, string header, string output)
    {
        _program = program;
        _header = header;
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
                    throw new FormatException($"{program} printed a line that is not a fact: {line}");
            }
        }
    }

    /// <returns>A line for a person if the two sides differ or C has no such fact; else null.</returns>
    internal string? Compare(string kind, string name, ulong actual)
    {
        if (!_numbers.TryGetValue($"{kind} {name}", out ulong expected))
            return $"{name}: native-tests/{_program} has no {kind} line for it";
        return actual == expected ? null : $"{kind} {name}: 0x{actual:x} in C#, 0x{expected:x} in {_header}";
    }

    private string? CompareField(string type, string path, ulong offset, ulong size)
    {
        if (!_fields.TryGetValue($"{type} {path}", out (ulong Offset, ulong Size) expected))
            return $"{type}.{path}: native-tests/{_program} has no field line for it";
        return (offset, size) == expected
            ? null
            : $"{type}.{path}: at {offset}, {size} bytes in C#; "
                + $"at {expected.Offset}, {expected.Size} bytes in {_header}";
    }

    /// <summary>Compares the constants of a type.</summary>
    internal IEnumerable<string> CompareConstants(Type type) =>
        type.GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(f => Compare("const", f.Name, Number(f.GetRawConstantValue())))
            .OfType<string>();

    /// <summary>Compares a structure: its size, and offset and size of each field.</summary>
    internal IEnumerable<string> CompareStructure(Type type)
    {
        var differences = new List<string?> { Compare("sizeof", type.Name, SizeOf(type)) };
        CompareFields(type.Name, type, "", 0, differences);
        return differences.OfType<string>();
    }

    internal static ulong Number(object? value) => Convert.ToUInt64(value, CultureInfo.InvariantCulture);

    private void CompareFields(string structure, Type type, string prefix, ulong at, List<string?> differences)
    {
        FieldInfo[] fields = type.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance);
        Assert.NotEmpty(fields);
        foreach (FieldInfo field in fields)
        {
            ulong offset = at + (ulong)Marshal.OffsetOf(type, field.Name);
            string path = prefix + field.Name;
            differences.Add(CompareField(structure, path, offset, SizeOf(field)));

            // A nested type is a C structure without a name: its members are reached only through here.
            if (field.FieldType.IsNested && field.GetCustomAttribute<FixedBufferAttribute>() is null)
                CompareFields(structure, field.FieldType, path + ".", offset, differences);
        }
    }

    private static ulong SizeOf(FieldInfo field) =>
        field.GetCustomAttribute<FixedBufferAttribute>() is { } array
            ? SizeOf(array.ElementType) * (ulong)array.Length
            : SizeOf(field.FieldType);

    private static ulong SizeOf(Type type) => type.IsPointer
        ? (ulong)IntPtr.Size
        : (ulong)(int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

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
        DirectoryInfo folder = Directory.CreateTempSubdirectory("abi-");
        try
        {
            string program = Path.Combine(folder.FullName, "program");
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
