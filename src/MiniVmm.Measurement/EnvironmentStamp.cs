using System.Globalization;
using System.Text.Json;
using MiniVmm.Host;

namespace MiniVmm.Measurement;

/// <summary>
/// Where and when something was measured: what a reader needs to judge a figure, or to get it again. Taking one never
/// fails: what could not be read is null.
/// </summary>
public sealed record EnvironmentStamp
{
    /// <summary>When it was taken, in UTC.</summary>
    public required DateTimeOffset TakenAt { get; init; }

    public required HostProcessor Processor { get; init; }

    public required HostCpus Cpus { get; init; }

    public required HostKernel Kernel { get; init; }

    public required HostKvm Kvm { get; init; }

    public required HostMitigations Mitigations { get; init; }

    /// <summary>Tasks that run or wait to, as means over 1, 5 and 15 minutes (proc_loadavg(5)).</summary>
    public IReadOnlyList<double>? LoadAverages { get; init; }

    public required MeasuringProgram Program { get; init; }

    /// <summary>Takes a stamp of this host and this process.</summary>
    /// <param name="cpus">Host CPUs that the measurement runs on; their frequency settings are looked at.</param>
    public static EnvironmentStamp Read(HostFiles files, IReadOnlyList<int> cpus, TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(clock);
        return new()
        {
            TakenAt = clock.GetUtcNow(),
            Processor = HostProcessor.Read(files),
            Cpus = HostCpus.Read(files, cpus),
            Kernel = HostKernel.Read(files),
            Kvm = HostKvm.Read(files),
            Mitigations = HostMitigations.Read(files),
            LoadAverages = Loads(files.ReadFact("/proc/loadavg")),
            Program = MeasuringProgram.Current,
        };
    }

    /// <summary>
    /// Facts for people, a short line each. What is missing and matters says so; what is missing and does not, or says
    /// nothing here, is left out.
    /// </summary>
    public IEnumerable<(string Name, string Value)> Rows() =>
    [
        .. Processor.Rows(),
        .. Cpus.Rows(),
        .. Kernel.Rows(),
        .. Kvm.Rows(),
        .. Mitigations.Rows(),
        ("load", LoadAverages is null
            ? "not readable"
            : string.Join(' ', LoadAverages.Select(load => load.ToString("0.00", CultureInfo.InvariantCulture)))),
        .. Program.Rows(),
        ("taken", TakenAt.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture)),
    ];

    /// <summary>
    /// Writes one JSON object: <c>takenAt</c>, <c>processor</c>, <c>cpus</c>, <c>kernel</c>, <c>kvm</c>,
    /// <c>mitigations</c>, <c>loadAverages</c>, <c>program</c>. The members of each are named as its properties are, in
    /// camel case, and all are there, null where unknown; <c>kvm.parameters</c> and <c>mitigations.vulnerabilities</c>
    /// are objects whose members are the names that the host has.
    /// </summary>
    public void WriteJson(Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartObject();
        writer.WriteString("takenAt", TakenAt.UtcDateTime);
        Processor.WriteJson(writer);
        Cpus.WriteJson(writer);
        Kernel.WriteJson(writer);
        Kvm.WriteJson(writer);
        Mitigations.WriteJson(writer);
        if (LoadAverages is null)
        {
            writer.WriteNull("loadAverages");
        }
        else
        {
            writer.WriteStartArray("loadAverages");
            foreach (double load in LoadAverages)
                writer.WriteNumberValue(load);
            writer.WriteEndArray();
        }

        Program.WriteJson(writer);
        writer.WriteEndObject();
    }

    private static double[]? Loads(string? line)
    {
        double[] loads =
        [
            .. (line ?? "").Split(' ').Take(3).Select(word =>
                double.TryParse(word, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double load)
                    ? load
                    : double.NaN),
        ];
        // Neither JSON nor a reader has use for the infinity that far too many digits give.
        return loads.Length == 3 && loads.All(load => load < 1e9) ? loads : null;
    }
}
