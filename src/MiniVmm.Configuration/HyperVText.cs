using MiniVmm.Cpu;

namespace MiniVmm.Configuration;

/// <summary>The parts of <c>--cpu</c> that begin with <c>hv-</c>: Hyper-V's interface, as far as KVM carries it alone.</summary>
internal static class HyperVText
{
    private const uint LeastRetries = 0xFFF;
    private const int VendorLength = 12;

    private const string NeedsMessages = "it needs a device for messages, which MiniVmm has not";
    private const string ForNested = "it is for hypervisors inside the guest";

    private static readonly (string Name, string Reason)[] Refused =
    [
        ("hv-synic", NeedsMessages),
        ("hv-stimer", NeedsMessages),
        ("hv-stimer-direct", NeedsMessages),
        ("hv-syndbg", NeedsMessages),
        ("hv-reset", "the guest has the keyboard controller's reset"),
        ("hv-crash", "MiniVmm reports no crashes that a guest describes itself"),
        ("hv-evmcs", ForNested),
        ("hv-emsr-bitmap", ForNested),
        ("hv-tlbflush-direct", ForNested),
        ("hv-passthrough", "name those that the guest is to have"),
    ];

    private static readonly (HyperVFeatures Feature, HyperVFeatures Needed)[] Dependencies =
    [
        (HyperVFeatures.TlbFlush, HyperVFeatures.VpIndex),
        (HyperVFeatures.Ipi, HyperVFeatures.VpIndex),
        (HyperVFeatures.TlbFlushExt, HyperVFeatures.TlbFlush),
    ];

    /// <summary>Sets the part of that name.</summary>
    /// <exception cref="BadInputException">The value cannot be, or MiniVmm has no such part.</exception>
    public static CpuProperties With(CpuProperties old, CpuPropertyText.Property property)
    {
        return old with { HyperV = With(old.HyperV ?? new(HyperVFeatures.None), property) };
    }

    /// <summary>Refuses features without those that they need.</summary>
    /// <exception cref="BadInputException">One is missing.</exception>
    public static void Check(CpuSelection selection)
    {
        HyperVFeatures features = selection.Properties.HyperV?.Features ?? HyperVFeatures.None;
        foreach ((HyperVFeatures feature, HyperVFeatures needed) in Dependencies)
        {
            if (features.HasFlag(feature) && !features.HasFlag(needed))
                throw CpuText.Bad(selection.Text, $"{Name(feature)} needs {Name(needed)}");
        }
    }

    private static HyperVOptions With(HyperVOptions old, CpuPropertyText.Property property)
    {
        switch (property.Key)
        {
            case "hv-spinlocks":
                uint retries = property.Value == "off" ? uint.MaxValue : property.Number(LeastRetries, uint.MaxValue);
                return retries == uint.MaxValue
                    ? old with { Features = old.Features & ~HyperVFeatures.Spinlocks }
                    : old with { Features = old.Features | HyperVFeatures.Spinlocks, SpinlockRetries = retries };
            case "hv-vendor-id":
                return old with { VendorId = property.Text(VendorLength, $"longer than {VendorLength} ASCII characters") };
            case "hv-enforce-cpuid":
                _ = property.Switch(); // a guest never gets more than its CPUID says
                return old;
        }

        foreach ((string name, HyperVFeatures feature) in HyperVLeaves.Names)
        {
            if (name == property.Key)
                return old with { Features = property.Switch() ? old.Features | feature : old.Features & ~feature };
        }

        if (property.Value == "off")
            return old;
        string reason = Array.Find(Refused, refused => refused.Name == property.Key).Reason
            ?? $"there are {string.Join(", ", HyperVLeaves.Names.Select(named => named.Name))}";
        throw property.Bad($"MiniVmm has no {property.Key}: {reason}");
    }

    private static string Name(HyperVFeatures feature) => HyperVLeaves.Names.First(named => named.Feature == feature).Name;
}
