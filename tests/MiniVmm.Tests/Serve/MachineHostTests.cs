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
    [InlineData("{ \"VirtualMachines\": ", "a.json: not JSON: ")]
    public void A_file_that_cannot_be_served_is_named(string json, string message)
    {
        string file = Write("a.json", json);

        BadInputException e = Assert.Throws<BadInputException>(() => Build(new([file], null)));

        Assert.StartsWith(Path.Combine(_directory, message), e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_not_there_is_named() => Assert.StartsWith(
        "/nonexistent.json: cannot be read: ",
        Assert.Throws<BadInputException>(() => Build(new(["/nonexistent.json"], null))).Message,
        StringComparison.Ordinal);

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
        MachineHost.Build(arguments, services => services
            .AddLogging(log => log.ClearProviders()).AddSingleton<IMachineFactory>(_machines));

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
