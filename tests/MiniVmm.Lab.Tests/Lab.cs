using System.Runtime.Versioning;
using MiniVmm.Lab.Tests;
using Xunit.Sdk;
using Xunit.v3;

[assembly: SupportedOSPlatform("linux")]
[assembly: AssemblyFixture(typeof(Lab))]
// Guests share the lab's few processors and its huge pages: one test at a time.
[assembly: Parallelization(Mode = ParallelMode.None)]

namespace MiniVmm.Lab.Tests;

/// <summary>
/// The machine these tests run on, which <c>tests/lab/lab</c> describes by environment variables. Outside it they
/// all fail: a boot that was not tried must not look like one that worked.
/// </summary>
public sealed class Lab
{
    public Lab()
    {
        if (Environment.GetEnvironmentVariable("LAB") != "1")
        {
            throw new InvalidOperationException(
                "These tests need the lab, a machine with hardware-style KVM: run them by `make test`.");
        }
    }

    /// <summary>The project's root, found by its solution file.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The program under test; <c>MINIVMM</c> names another one.</summary>
    public static string MiniVmm { get; } =
        Environment.GetEnvironmentVariable("MINIVMM") ?? Path.Combine(Root, "out", "minivmm");

    /// <summary>Where what comes back from the lab is left.</summary>
    public static string Out { get; } =
        Environment.GetEnvironmentVariable("LAB_OUT") ?? Path.Combine(Root, "lab-out");

    /// <summary>A kernel or an initramfs under out/guests.</summary>
    public static string Guest(string name) => Path.Combine(Root, "out", "guests", name);

    private static string FindRoot()
    {
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "MiniVmm.sln")))
            {
                return folder;
            }
        }

        throw new DirectoryNotFoundException($"No MiniVmm.sln above {AppContext.BaseDirectory}");
    }
}

/// <summary>The trait by which <c>tests/lab/run-tests</c> chooses what to run in which lab.</summary>
public static class LabKind
{
    public const string Trait = "Lab";

    /// <summary>A lab with /dev/kvm.</summary>
    public const string Kvm = "kvm";

    /// <summary>A lab without (<c>--nokvm</c>).</summary>
    public const string NoKvm = "nokvm";

    /// <summary>A lab with /dev/kvm, an IOMMU, and devices to pass on (<c>--iommu</c>).</summary>
    public const string Vfio = "vfio-kvm";

    /// <summary>A second trait, with a kind as its value: short tests that leave the lab as it was, and share one with other classes.</summary>
    public const string Shared = "Shared";
}
