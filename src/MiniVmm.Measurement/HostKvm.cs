using System.Text.Json;
using MiniVmm.Host;
using MiniVmm.Kvm;

namespace MiniVmm.Measurement;

/// <summary>
/// Which KVM the host has: an exit's cost is first of all that of its kind. Null is what could not be read.
/// </summary>
public sealed record HostKvm
{
    // Those that change what an exit costs, or which exits there are
    // (Documentation/admin-guide/kernel-parameters.txt; Documentation/virt/kvm/halt-polling.rst).
    private static readonly (string Module, string Name)[] KnownParameters =
    [
        ("kvm", "halt_poll_ns"), ("kvm", "nx_huge_pages"),
        ("kvm_amd", "npt"), ("kvm_amd", "avic"), ("kvm_amd", "nested"),
        ("kvm_intel", "ept"), ("kvm_intel", "enable_apicv"), ("kvm_intel", "unrestricted_guest"),
    ];

    /// <summary>Its back ends, loaded or built in: <c>kvm_intel</c>, <c>kvm_amd</c>, <c>kvm_pvm</c>, …</summary>
    public IReadOnlyList<string>? Modules { get; init; }

    /// <summary>
    /// Those parameters that could be read: <c>kvm.halt_poll_ns</c> and the like, with the kernel's text for the value.
    /// </summary>
    public IReadOnlyList<(string Name, string Value)> Parameters { get; init; } = [];

    /// <summary>Whether it emulates the guest's supervisor code.</summary>
    public bool EmulatesSupervisorCode { get; init; }

    public static HostKvm Read(HostFiles files)
    {
        ArgumentNullException.ThrowIfNull(files);
        return new()
        {
            EmulatesSupervisorCode = EmulatedSupervisor.IsOn(files),
            Modules = files.List("/sys/module")?
                .Where(name => name.StartsWith("kvm_", StringComparison.Ordinal))
                .ToArray(),
            Parameters =
            [
                .. from known in KnownParameters
                   let value = files.ReadFact($"/sys/module/{known.Module}/parameters/{known.Name}")
                   where value is not null
                   select ($"{known.Module}.{known.Name}", value),
            ],
        };
    }

    internal IEnumerable<(string Name, string Value)> Rows()
    {
        yield return ("KVM", Modules switch
        {
            null => "not readable",
            [] => "no kvm_* module",
            _ => string.Join(' ', Modules),
        });
        if (Parameters.Count > 0)
            yield return ("KVM parameters", string.Join(' ', Parameters.Select(p => $"{p.Name}={p.Value}")));
    }

    internal void WriteJson(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("kvm");
        writer.WriteFact("modules", Modules);
        writer.WriteStartObject("parameters");
        foreach ((string name, string value) in Parameters)
            writer.WriteString(name, value);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }
}
