using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MiniVmm.Execution;
using MiniVmm.Hosting;
using MiniVmm.Serve;
using MiniVmm.Tests.Boot;
using MiniVmm.Tests.Cli;
using MiniVmm.Tests.Hosting;

namespace MiniVmm.Tests.Serve;

public sealed class MachineHostTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("minivmm-test-").FullName;
    private readonly FakeMachines _machines = new();

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Prometheus_finds_the_exits_of_a_machine_on_the_loopback()
    {
        int port = FreePort();
        string file = Write("a.json", $$"""{ "VirtualMachines": { "web": { "Kernel": "{{Kernel()}}", "Smp": 2 } } }""");
        using IHost host = Build(new([file], port));
        await host.StartAsync(TestContext.Current.CancellationToken);
        FakeRun run = await _machines.NextAsync();
        run.Figures = new() { Exits = new Dictionary<string, long> { ["KVM_EXIT_IO"] = 42 } };
        run.OnPress = pressed => pressed.End(StopKind.PowerOff);

        using HttpClient client = new();
        string text = await client.GetStringAsync(
            new Uri($"http://localhost:{port}/metrics"), TestContext.Current.CancellationToken);

        Assert.Matches(
            new Regex("""^minivmm_vcpu_exits_total\{.*machine_name="web".*minivmm_exit_reason="KVM_EXIT_IO".*\} 42""", RegexOptions.Multiline),
            text);
        await host.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public void A_later_file_counts_more()
    {
        string first = Write("a.json", $$"""{ "VirtualMachines": { "web": { "Kernel": "{{Kernel()}}", "Patience": 5 } } }""");
        string second = Write("b.json", """{ "VirtualMachines": { "web": { "Patience": 7, "MemMerge": true } } }""");
        using IHost host = Build(new([first, second], null));

        VirtualMachineOptions options = host.Services.GetRequiredService<IOptionsMonitor<VirtualMachineOptions>>().Get("web");

        Assert.Equal(7, options.Patience.TotalSeconds);
        Assert.True(options.Machine.Memory.Merge);
    }

    [Theory]
    [InlineData("{ \"VirtualMachines\": {} }", "a.json: no machine under VirtualMachines")]
    [InlineData("{\n  \"VirtualMachines\": ", "a.json:2: not JSON: Expected ")]
    [InlineData("", "a.json:1: not JSON: ")]
    [InlineData("[]", "a.json: Top-level JSON element must be an object")]
    [InlineData("{ \"a\": 1, \"A\": 2 }", "a.json: A duplicate key 'A' was found")]
    public void A_file_that_cannot_be_served_is_named(string json, string message)
    {
        string file = Write("a.json", json);

        BadInputException e = Assert.Throws<BadInputException>(() => Build(new([file], null)));

        Assert.StartsWith(Path.Combine(_directory, message), e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/nonexistent.json", "/nonexistent.json: no such file")]
    [InlineData("/dev/zero", "/dev/zero: over 1 MiB, not a configuration")]
    [InlineData("/", "/: cannot be read: ")]
    public void A_file_that_cannot_be_read_is_named(string file, string message) => Assert.StartsWith(
        message,
        Assert.Throws<BadInputException>(() => Build(new([file], null))).Message,
        StringComparison.Ordinal);

    [Fact]
    public async Task A_port_that_is_taken_is_named_before_any_machine_starts()
    {
        string file = Write("a.json", $$"""{ "VirtualMachines": { "web": { "Kernel": "{{Kernel()}}" } } }""");
        using TcpListener other = new(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;
        StringWriter errors = new();

        int status = await ServeProgram.RunAsync(
            new ServeArguments([file], port), errors, services => Replace(services, _machines));

        Assert.Equal(4, status);
        Assert.Equal($"minivmm: --metrics {port}: Address already in use; choose another port\n", errors.ToString());
        Assert.False(_machines.TryNext());
    }

    [Fact]
    public async Task What_is_wrong_is_told_a_line_each_without_control_characters()
    {
        string file = Write("a.json", """{ "VirtualMachines": { "web": { "Smp": "\u001b[2J" }, "db": { "Mem": "much" } } }""");
        StringWriter errors = new();

        int status = await ServeProgram.RunAsync(new ServeArguments([file], null), errors, services => Replace(services, _machines));

        Assert.Equal(2, status);
        string[] lines = errors.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains(lines, line => line.StartsWith("minivmm: VirtualMachines:web:Smp \ufffd[2J: ", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("minivmm: VirtualMachines:db:Mem much: ", StringComparison.Ordinal));
        Assert.Equal(2, lines.Length);
    }

    [Fact]
    public void The_sample_lacks_its_kernels_only()
    {
        string sample = Path.Combine(Repository.Root, "samples", "machines.json");
        using IHost host = Build(new([sample], null));
        IOptionsMonitor<VirtualMachineOptions> options =
            host.Services.GetRequiredService<IOptionsMonitor<VirtualMachineOptions>>();

        Assert.All(["web", "test"], name => Assert.All(
            Assert.Throws<OptionsValidationException>(() => options.Get(name)).Failures,
            problem => Assert.StartsWith($"VirtualMachines:{name}:Kernel /var/lib/minivmm/", problem, StringComparison.Ordinal)));
    }

    private IHost Build(ServeArguments arguments) =>
        MachineHost.Build(arguments, services => Replace(services, _machines));

    private static void Replace(IServiceCollection services, FakeMachines machines) =>
        services.AddLogging(log => log.ClearProviders()).AddSingleton<IMachineFactory>(machines);

    private string Kernel()
    {
        string path = Path.Combine(_directory, "kernel");
        File.WriteAllBytes(path, MultibootFiles.Elf().Build());
        return path;
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(_directory, name);
        File.WriteAllText(path, text);
        return path;
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
