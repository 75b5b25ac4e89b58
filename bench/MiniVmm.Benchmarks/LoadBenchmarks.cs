using BenchmarkDotNet.Attributes;
using MiniVmm.Boot;
using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Benchmarks;

/// <summary>
/// How much of a start is the kernel: reading its file, and making it ready? A bzImage is unpacked here, into native
/// memory, of which the allocation column knows nothing.
/// </summary>
[MemoryDiagnoser]
public class LoadBenchmarks
{
    private const string Multiboot = "hello.elf";
    private const string BzImage = "vmlinuz-cloud"; // a stock Debian kernel, which only the lab's downloads bring
    private readonly GuestMemoryMap _memory = new(256 * MemoryLayout.MiB);
    private readonly FirmwareTables _firmware = new(new FirmwareCpus([new FirmwareCpu(0, Present: true)]), []);
    private string _path = "";
    private NativeBuffer? _file;

    public static IEnumerable<string> Kernels =>
        File.Exists(GuestPath(BzImage)) ? [Multiboot, BzImage] : [Multiboot];

    [ParamsSource(nameof(Kernels))]
    public string Kernel { get; set; } = Multiboot;

    [GlobalSetup]
    public void Setup()
    {
        _path = GuestPath(Kernel);
        if (!File.Exists(_path))
            throw new FileNotFoundException($"{_path} is missing; build it with `make guests`");
        _file = InputFile.Read(_path, OptionName.Kernel);
    }

    [GlobalCleanup]
    public void Cleanup() => (_file as IDisposable)?.Dispose();

    [Benchmark]
    public int ReadFile()
    {
        using NativeBuffer file = InputFile.Read(_path, OptionName.Kernel);
        return file.Length;
    }

    [Benchmark]
    public int Load()
    {
        using BootImage image = BootLoader.Load(
            new BootRequest { KernelName = Kernel, Kernel = _file!.Memory, Memory = _memory, Firmware = _firmware });
        return image.Segments.Count;
    }

    /// <summary>BenchmarkDotNet runs from a project of its own, somewhere below this one's output.</summary>
    private static string GuestPath(string name)
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "MiniVmm.sln")))
                return Path.Combine(at.FullName, "out", "guests", name);
        }

        throw new DirectoryNotFoundException(
            $"no MiniVmm.sln above {AppContext.BaseDirectory}: run the benchmarks from the repository");
    }
}
