using System.Globalization;
using MiniVmm.Cpu;

namespace MiniVmm.Configuration;

/// <summary>
/// The vCPUs and their topology, in the form of QEMU's <c>-smp</c>:
/// <c>[cpus=]N[,maxcpus=M][,sockets=S][,cores=C][,threads=T]</c>. What is left out is computed.
/// </summary>
public sealed class TopologyText
{
    // QEMU's other levels, accepted if they are 1.
    private static readonly string[] UnsupportedLevels = ["dies", "clusters", "modules", "books", "drawers"];

    private readonly string _text;
    private readonly Dictionary<string, int> _given = new(StringComparer.Ordinal);

    private TopologyText(string text)
    {
        _text = text;
        string[] parts = text.Split(',');
        for (int i = 0; i < parts.Length; i++)
            Add(parts[i].Trim(), first: i == 0);
    }

    /// <param name="text">Keys in any order, each at most once; a bare number must come first.</param>
    /// <exception cref="BadInputException">It is not of that form, or the numbers do not fit together.</exception>
    public static CpuTopology Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (string.IsNullOrWhiteSpace(text))
            throw new BadInputException($"{OptionName.Smp}: empty; give a number of vCPUs, as in 4 or 4,sockets=2,cores=2");
        return new TopologyText(text.Trim()).Resolve();
    }

    private void Add(string part, bool first)
    {
        int equals = part.IndexOf('=', StringComparison.Ordinal);
        string key = equals < 0 ? "cpus" : part[..equals];
        string value = equals < 0 ? part : part[(equals + 1)..];

        if (part.Length == 0)
            throw Bad("an empty part; remove a comma");
        if (equals < 0 && !first)
            throw Bad($"'{part}' has no key; put cpus=, maxcpus=, sockets=, cores= or threads= in front");
        bool unsupported = UnsupportedLevels.Contains(key);
        if (!unsupported && key is not ("cpus" or "maxcpus" or "sockets" or "cores" or "threads"))
            throw Bad($"unknown key '{key}'; use cpus, maxcpus, sockets, cores or threads");
        int number = Number(key, value);
        if (unsupported && number != 1)
            throw Bad($"{key}={number} is not supported; only sockets, cores and threads ({key}=1 is accepted)");
        if (!_given.TryAdd(key, number))
            throw Bad($"{key} is given twice");
    }

    private int Number(string key, string value)
    {
        if (value.Length == 0 || value.AsSpan().ContainsAnyExceptInRange('0', '9'))
            throw Bad($"{key} '{value}' is not a whole number from 1 to {CpuTopology.Limit}");
        bool counted = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number);
        if (!counted || number > CpuTopology.Limit)
            throw Bad($"{key}={value} is too many; at most {CpuTopology.Limit}");
        if (number == 0)
            throw Bad($"{key}=0; there must be at least 1");
        return number;
    }

    private CpuTopology Resolve()
    {
        int? cpus = Given("cpus");
        int? maxCpus = Given("maxcpus");
        int? places = maxCpus ?? cpus;
        (int sockets, int cores, int threads) = places is int total
            ? Arrange(total, maxCpus is null ? "vCPU" : "possible vCPU")
            : (Given("sockets") ?? 1, Given("cores") ?? 1, Given("threads") ?? 1);

        long product = CpuTopology.Product(sockets, cores, threads);
        if (places is int expected && product != expected)
        {
            string origin = maxCpus is null ? "" : " (maxcpus)";
            throw Bad($"{Shape()} = {product}, not {CpuTopology.Plural(expected, "vCPU")}{origin}");
        }

        if (product > CpuTopology.Limit)
            throw Bad($"{Shape()} = {product} vCPUs is too many; at most {CpuTopology.Limit}");
        if (cpus > product)
            throw Bad($"{CpuTopology.Plural(cpus.Value, "vCPU")} present is more than maxcpus={product}");
        return new(sockets, cores, threads, cpus);

        string Shape() => CpuTopology.Shape(sockets, cores, threads);
    }

    /// <summary>Computes what is left out: sockets take the rest first, then cores, then threads.</summary>
    private (int Sockets, int Cores, int Threads) Arrange(int total, string noun)
    {
        int? sockets = Given("sockets");
        int? cores = Given("cores");
        int? threads = Given("threads");
        if (sockets is not int s)
        {
            int c = cores ?? 1;
            int t = threads ?? 1;
            long by = (long)c * t;
            return (Quotient(total, by) ?? throw Indivisible("into sockets of", c, "core", t, "thread", "", by), c, t);
        }

        if (cores is not int givenCores)
        {
            int t = threads ?? 1;
            long by = (long)s * t;
            return (s, Quotient(total, by) ?? throw Indivisible("over", s, "socket", t, "thread", " a core", by), t);
        }

        if (threads is not int givenThreads)
        {
            long by = (long)s * givenCores;
            return (s, givenCores, Quotient(total, by) ?? throw Indivisible("over", s, "socket", givenCores, "core", "", by));
        }

        return (s, givenCores, givenThreads);

        BadInputException Indivisible(string over, int a, string aNoun, int b, string bNoun, string of, long by) => Bad(
            $"{CpuTopology.Plural(total, noun)} cannot be divided {over} {CpuTopology.Plural(a, aNoun)} × "
            + $"{CpuTopology.Plural(b, bNoun)}{of} ({total} / {by} is not a whole number)");
    }

    private static int? Quotient(int total, long by) => total % by == 0 ? (int)(total / by) : null;

    private int? Given(string key) => _given.TryGetValue(key, out int number) ? number : null;

    private BadInputException Bad(string reason) => new($"{OptionName.Smp.With(_text)}: {reason}");
}
