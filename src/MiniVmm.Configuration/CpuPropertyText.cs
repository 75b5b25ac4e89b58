using System.Globalization;
using MiniVmm.Cpu;

namespace MiniVmm.Configuration;

/// <summary>The parts of <c>--cpu</c> that are not features: QEMU's properties of a CPU.</summary>
internal static class CpuPropertyText
{
    private const uint LeastBits = 32;
    private const uint MostBits = 52;
    private const ulong MostHertz = (ulong)int.MaxValue * 1000; // KVM counts kHz in an int

    /// <summary>QEMU's that MiniVmm has no use for, with the reason; a name that ends in - is the beginning of several.</summary>
    private static readonly (string Name, string Reason)[] Refused =
    [
        ("socket-id", PlacesAreSmps),
        ("die-id", PlacesAreSmps),
        ("module-id", PlacesAreSmps),
        ("core-id", PlacesAreSmps),
        ("thread-id", PlacesAreSmps),
        ("node-id", PlacesAreSmps),
        ("apic-id", PlacesAreSmps),
        ("legacy-multi-node", PlacesAreSmps),
        ("x-", "properties with x- are QEMU's own experiments"),
        ("vmx-", "a guest with vmx has all of the host's"),
        ("memory", NothingOfTheProcessor),
        ("realized", NothingOfTheProcessor),
        ("start-powered-off", NothingOfTheProcessor),
        ("legacy-cache", CachesAreTheModels),
        ("l3-cache", CachesAreTheModels),
        ("x-l1-cache-per-thread", CachesAreTheModels),
        ("min-level", "level= sets the last leaf"),
        ("min-xlevel", "xlevel= sets the last leaf"),
        ("min-xlevel2", "MiniVmm sets it by the features"),
        ("xlevel2", "MiniVmm sets it by the features"),
        ("level-func7", "MiniVmm sets it by the features"),
        ("full-cpuid-auto-level", "MiniVmm sets levels by the features"),
        ("cpuid-0xb", "leaf 0xb is in every guest that level= lets have it"),
        ("avx10-version", "there is version 1 alone"),
        ("lmce", NoMachineCheck),
        ("ucode-rev", "KVM's is what guests see"),
        ("lbr-fmt", "the guest has the host's with pmu=on"),
        ("guest-phys-bits", "MiniVmm has no nested page tables of its own"),
        ("tcg-cpuid", "there is no TCG here"),
        ("vmware-cpuid-freq", "tsc-frequency= tells the guest where it is set"),
        ("fill-mtrr-mask", "KVM has whole MTRRs"),
        ("kvm-no-smi-migration", NoMigration),
        ("kvm-pv-enforce-cpuid", "KVM's offers to guests are switched by kvm=off and kvm-…=off"),
        ("xen-vapic", "there is no Xen here"),
    ];

    private const string PlacesAreSmps = "the topology gives each vCPU its place and its ids";
    private const string NothingOfTheProcessor = "it is an inner matter of QEMU's";
    private const string CachesAreTheModels = "a model has its own caches, or the host's with host-cache-info=on";
    private const string NoMachineCheck = "MiniVmm sends guests no machine checks";
    private const string NoMigration = "MiniVmm does not migrate guests";

    /// <summary>Sets the property of that name.</summary>
    /// <returns>False if there is none of that name; it may be a feature's.</returns>
    /// <exception cref="BadInputException">The value cannot be, or it is one of QEMU's that MiniVmm refuses.</exception>
    public static bool TrySet(ref CpuSelection selection, string key, string value)
    {
        Property property = new(selection.Text, key, value);
        if (WithModel(selection.Model, property) is CpuModel model)
            selection = selection with { Model = model };
        else if (With(selection, property) is CpuProperties properties)
            selection = selection with { Properties = properties };
        else if (Array.Find(Refused, refused => Names(refused.Name, key)) is (string, string reason))
            throw property.Bad($"MiniVmm has no {key}: {reason}");
        else
            return false;
        return true;
    }

    private static bool Names(string name, string key) =>
        name.EndsWith('-') ? key.StartsWith(name, StringComparison.Ordinal) : key == name;

    private static CpuModel? WithModel(CpuModel model, Property property) => property.Key switch
    {
        "vendor" => model with { Vendor = property.Text(12, "not 12 ASCII characters, as in GenuineIntel", exactly: true) },
        "model-id" => model with
        {
            ModelId = property.Text(CpuModels.ModelIdLength, $"longer than {CpuModels.ModelIdLength} ASCII characters"),
        },
        "family" => model with { Family = property.Number(0, CpuModels.MaxFamily) },
        "model" => model with { Model = property.Number(0, CpuModels.MaxModel) },
        "stepping" => model with { Stepping = property.Number(0, CpuModels.MaxStepping) },
        _ => null,
    };

    private static CpuProperties? With(CpuSelection selection, Property property)
    {
        CpuProperties old = selection.Properties;
        return property.Key switch
        {
            "level" => old with { Level = property.Number(1, CpuModels.MaxLevel) },
            "xlevel" => old with { XLevel = property.Number(0x80000001, CpuModels.MaxXLevel) },
            "check" => property.Switch()
                ? old with { Missing = old.Missing == MissingFeatures.Refuse ? old.Missing : MissingFeatures.Warn }
                : old with { Missing = MissingFeatures.Ignore },
            "enforce" => old with { Missing = property.Switch() ? MissingFeatures.Refuse : MissingFeatures.Warn },
            "phys-bits" => old with { PhysicalBits = property.Bits() },
            "host-phys-bits" => old with { HostPhysicalBits = property.Switch() },
            "host-phys-bits-limit" => old with { HostPhysicalBitsLimit = property.Bits() },
            "host-cache-info" => old with { HostCaches = property.Switch() },
            "kvm" => old with { ShowsKvm = property.Switch() },
            "pmu" => old with { Pmu = property.Switch() },
            "tsc-frequency" or "tsc-freq" => old with { TscFrequency = property.Frequency() },
            "migratable" when selection.Model.IsHost => old with { Migratable = property.Switch() },
            "migratable" => throw property.Bad($"migratable is a property of host and max alone; {selection.Model.Name} is as it is"),
            _ when property.Key.StartsWith("hv-", StringComparison.Ordinal) => HyperVText.With(old, property),
            _ => null,
        };
    }

    /// <summary>One part of a selection's text.</summary>
    internal readonly record struct Property(string Selection, string Key, string Value)
    {
        public BadInputException Bad(string reason) => CpuText.Bad(Selection, reason);

        public bool Switch() =>
            SwitchText.TryParse(Value, out bool on) ? on : throw Bad($"'{Key}={Value}' is neither on nor off");

        public string Text(int length, string problem, bool exactly = false) =>
            Value.All(char.IsAscii) && (exactly ? Value.Length == length : Value.Length <= length)
                ? Value
                : throw Bad($"{Key} {(exactly ? $"'{Value}' " : "")}is {problem}");

        public uint Number(uint low, uint high) =>
            CpuModels.TryNumber(Value, out uint number) && number >= low && number <= high
                ? number
                : throw Bad($"{Key} '{Value}' is not a number from {CpuModels.Hex(low)} to {CpuModels.Hex(high)}");

        /// <summary>QEMU's 0 is for "not set".</summary>
        public int? Bits() => Value == "0" ? null : (int)Number(LeastBits, MostBits);

        /// <summary>Hz; K, M and G are powers of 1000, with a point as in 2.5G.</summary>
        public ulong Frequency()
        {
            int power = Value is [.., char unit] ? "KMG".IndexOf(char.ToUpperInvariant(unit), StringComparison.Ordinal) + 1 : 0;
            decimal scale = power switch { 1 => 1e3m, 2 => 1e6m, 3 => 1e9m, _ => 1 };
            const NumberStyles digits = NumberStyles.AllowDecimalPoint;
            return decimal.TryParse(Value.AsSpan(0, Value.Length - Math.Min(power, 1)), digits, CultureInfo.InvariantCulture, out decimal number)
                && number <= MostHertz / scale && number * scale >= 1000
                ? (ulong)(number * scale)
                : throw Bad($"{Key} '{Value}' is not a frequency in Hz, as in 2500000000 or 2.5G");
        }
    }
}
