using System.Diagnostics;
using MiniVmm.Network.User;

namespace MiniVmm.Tests.Network.User;

/// <summary>libslirp's structures in C# against the C compiler. Needs gcc and libslirp-dev.</summary>
public sealed unsafe class SlirpAbiTests
{
    [Fact]
    public void Structures_and_numbers_are_those_of_C()
    {
        string[] expected = CompileAndRun(Path.Combine(Repository(), "native-tests", "slirp_abi.c"));

        List<string> actual = [.. Configuration(), .. Callbacks(), .. PollFlags()];
        Assert.Equal(expected, actual);
    }

    private static List<string> Configuration()
    {
        SlirpConfig c = default;
        byte* start = (byte*)&c;
        List<string> lines = [];
        Add(nameof(c.version), &c.version, sizeof(uint));
        Add(nameof(c.restricted), &c.restricted, sizeof(int));
        Add(nameof(c.in_enabled), &c.in_enabled, sizeof(byte));
        Add(nameof(c.vnetwork), &c.vnetwork, sizeof(uint));
        Add(nameof(c.vnetmask), &c.vnetmask, sizeof(uint));
        Add(nameof(c.vhost), &c.vhost, sizeof(uint));
        Add(nameof(c.in6_enabled), &c.in6_enabled, sizeof(byte));
        Add(nameof(c.vprefix_addr6), &c.vprefix_addr6, sizeof(in6_addr));
        Add(nameof(c.vprefix_len), &c.vprefix_len, sizeof(byte));
        Add(nameof(c.vhost6), &c.vhost6, sizeof(in6_addr));
        Add(nameof(c.vhostname), &c.vhostname, sizeof(byte*));
        Add(nameof(c.tftp_server_name), &c.tftp_server_name, sizeof(byte*));
        Add(nameof(c.tftp_path), &c.tftp_path, sizeof(byte*));
        Add(nameof(c.bootfile), &c.bootfile, sizeof(byte*));
        Add(nameof(c.vdhcp_start), &c.vdhcp_start, sizeof(uint));
        Add(nameof(c.vnameserver), &c.vnameserver, sizeof(uint));
        Add(nameof(c.vnameserver6), &c.vnameserver6, sizeof(in6_addr));
        Add(nameof(c.vdnssearch), &c.vdnssearch, sizeof(byte**));
        Add(nameof(c.vdomainname), &c.vdomainname, sizeof(byte*));
        Add(nameof(c.if_mtu), &c.if_mtu, sizeof(nuint));
        Add(nameof(c.if_mru), &c.if_mru, sizeof(nuint));
        Add(nameof(c.disable_host_loopback), &c.disable_host_loopback, sizeof(byte));
        Add(nameof(c.enable_emu), &c.enable_emu, sizeof(byte));
        return lines;

        void Add(string name, void* field, int size) =>
            lines.Add($"SlirpConfig {name} {(byte*)field - start} {size}");
    }

    private static List<string> Callbacks()
    {
        SlirpCb c = default;
        byte* start = (byte*)&c;
        List<string> lines = [];
        Add(nameof(c.send_packet), &c.send_packet);
        Add(nameof(c.guest_error), &c.guest_error);
        Add(nameof(c.clock_get_ns), &c.clock_get_ns);
        Add(nameof(c.timer_new), &c.timer_new);
        Add(nameof(c.timer_free), &c.timer_free);
        Add(nameof(c.timer_mod), &c.timer_mod);
        Add(nameof(c.register_poll_fd), &c.register_poll_fd);
        Add(nameof(c.unregister_poll_fd), &c.unregister_poll_fd);
        Add(nameof(c.notify), &c.notify);
        return lines;

        void Add(string name, void* field) => lines.Add($"SlirpCb {name} {(byte*)field - start} {sizeof(nint)}");
    }

    private static string[] PollFlags() =>
    [
        $"SlirpPoll SLIRP_POLL_IN 0 {SlirpPoll.In}",
        $"SlirpPoll SLIRP_POLL_OUT 0 {SlirpPoll.Out}",
        $"SlirpPoll SLIRP_POLL_PRI 0 {SlirpPoll.Pri}",
        $"SlirpPoll SLIRP_POLL_ERR 0 {SlirpPoll.Err}",
        $"SlirpPoll SLIRP_POLL_HUP 0 {SlirpPoll.Hup}",
    ];

    private static string[] CompileAndRun(string source)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("slirp-abi-");
        try
        {
            string program = Path.Combine(folder.FullName, "slirp_abi");
            Run("cc", "-Wall", "-Werror", source, "-o", program);
            return Run(program).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Run(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(
            process.ExitCode == 0, $"{program} failed; install gcc, libc6-dev and libslirp-dev:\n{errors.Result}");
        return output;
    }

    private static string Repository()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "MiniVmm.sln")))
                return folder.FullName;
        }

        throw new DirectoryNotFoundException($"no folder above {AppContext.BaseDirectory} has MiniVmm.sln");
    }
}
