using MiniVmm.Hosting;
using MiniVmm.Tests.Tracing;
using MiniVmm.Tracing;

namespace MiniVmm.Tests.Hosting;

/// <summary>Where the traces of a hosted machine go.</summary>
public sealed class HostedTracesTests
{
    [Fact]
    public void Without_a_file_its_lines_are_the_logs()
    {
        MemoryLog log = new();
        HostedTraces traces = new(new MachineLog("web", log), null);

        ChromeTraceTests.Write(traces.Sink(null));

        string[] lines = [.. log.Of("MiniVmm.web.Trace")];
        Assert.StartsWith("     time s", lines[0], StringComparison.Ordinal);
        Assert.Contains(lines, line => line.EndsWith("io 3f8 <- 48  COM1: transmit 'H'", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, line => line.Contains('\n', StringComparison.Ordinal));
    }

    [Fact]
    public void A_file_is_made_by_the_host()
    {
        FakeFiles files = new();

        Assert.Same(files, new HostedTraces(new MachineLog("web", new MemoryLog()), files).Sink("/tmp/web.json"));
        Assert.Equal("/tmp/web.json", files.Path);
    }

    [Fact]
    public void A_host_that_writes_no_files_says_so() => Assert.Equal(
        "/tmp/web.json: the machine's program writes no trace files; without one the trace goes to its log",
        Assert.Throws<BadInputException>(() => new HostedTraces(new MachineLog("web", new MemoryLog()), null).Sink("/tmp/web.json")).Message);

    private sealed class FakeFiles : ITraceFiles, ITraceSink
    {
        public string? Path { get; private set; }

        public ITraceSink Create(string path)
        {
            Path = path;
            return this;
        }

        public void Begin(TraceHeader header)
        {
        }

        public void Write(TraceRecord record)
        {
        }

        public void Flush()
        {
        }

        public void End(TraceTotals totals)
        {
        }

        public void Dispose()
        {
        }
    }
}
