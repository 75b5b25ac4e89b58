using System.Net.Sockets;
using System.Runtime.Versioning;
using MiniVmm.Control;
using MiniVmm.Control.Verbs;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Control;

[Collection(RuntimeFolder.Collection)]
[SupportedOSPlatform("linux")]
public sealed class ControlDirectoryTests : IDisposable
{
    private readonly RuntimeFolder _runtime = new();

    public void Dispose() => _runtime.Dispose();

    [Fact]
    public void Where_nothing_ever_ran_there_are_no_machines_and_no_directory()
    {
        Assert.Empty(RunningMachines.List());
        Assert.False(Directory.Exists(_runtime.Sockets));
    }

    [Fact]
    public void Machines_are_listed_by_name()
    {
        using ControlServer web = ControlServer.Listen("web", new FakeMachine());
        using ControlServer database = ControlServer.Listen("Db-1", new FakeMachine());

        Assert.Equal(["Db-1", "web"], RunningMachines.List());
    }

    [Fact]
    public void A_name_in_use_is_refused_and_its_machine_goes_on()
    {
        using ControlServer server = ControlServer.Listen("web", new FakeMachine());

        BadInputException refused =
            Assert.Throws<BadInputException>(() => ControlServer.Listen("web", new FakeMachine()));

        Assert.StartsWith("--name web: ", refused.OnCommandLine(), StringComparison.Ordinal);
        Assert.Contains($"process {Environment.ProcessId}", refused.OnCommandLine(), StringComparison.Ordinal);
        Assert.Equal(["web"], RunningMachines.List());
    }

    [Fact]
    public void A_dead_machines_socket_is_replaced_at_the_next_start()
    {
        LeaveStale("web");

        using ControlServer server = ControlServer.Listen("web", new FakeMachine());

        Assert.Equal(["web"], RunningMachines.List());
    }

    [Fact]
    public void A_dead_machines_socket_is_not_listed_but_removed()
    {
        LeaveStale("web");

        Assert.Empty(RunningMachines.List());
        Assert.False(File.Exists(_runtime.Socket("web")));
    }

    [Fact]
    public void Files_that_are_no_sockets_of_machines_are_left_alone()
    {
        string[] others = ["notes.txt", "-x.sock", ".sock"];
        _runtime.WithSockets();
        foreach (string other in others)
            File.WriteAllText(Path.Combine(_runtime.Sockets, other), "");

        Assert.Empty(RunningMachines.List());
        Assert.All(others, other => Assert.True(File.Exists(Path.Combine(_runtime.Sockets, other))));
    }

    [Fact]
    public void A_symbolic_link_in_the_directorys_place_is_refused()
    {
        string elsewhere = Path.Combine(_runtime.Path, "elsewhere");
        Directory.CreateDirectory(elsewhere, (UnixFileMode)0b111_000_000);
        Directory.CreateSymbolicLink(_runtime.Sockets, elsewhere);

        Assert.Contains("symbolic link", Refusal(), StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(elsewhere));
    }

    [Fact]
    public void A_file_in_the_directorys_place_is_refused()
    {
        File.WriteAllText(_runtime.Sockets, "");

        Assert.Contains("a file", Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData((UnixFileMode)0b111_101_000)]
    [InlineData((UnixFileMode)0b111_000_010)]
    public void A_directory_that_is_open_to_others_is_refused(UnixFileMode mode)
    {
        _runtime.WithSockets(mode);

        Assert.Contains("chmod 700", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_runtime_directory_of_any_length_will_do()
    {
        string deep = Path.Combine(_runtime.Path, new string('x', 200));
        Directory.CreateDirectory(deep);
        Environment.SetEnvironmentVariable("XDG_RUNTIME_DIR", deep);

        using ControlServer server = ControlServer.Listen(new string('a', MachineName.MaxLength), new FakeMachine());

        using ControlClient client = ControlClient.Connect(server.Name);
        Assert.Equal(server.Name, client.Ask(new InfoVerb()).GetProperty("name").GetString());
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData(".hidden")]
    [InlineData("-x")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("ä")]
    [InlineData("a\n")]
    public void A_name_that_would_surprise_a_shell_or_a_file_system_is_refused(string name)
    {
        Assert.Throws<BadInputException>(() => ControlServer.Listen(name, new FakeMachine()));
        Assert.Throws<BadInputException>(() => ControlClient.Connect(name));
        Assert.False(Directory.Exists(_runtime.Sockets));
    }

    [Theory]
    [InlineData(64, true)]
    [InlineData(65, false)]
    public void A_name_has_64_characters_at_most(int length, bool valid) =>
        Assert.Equal(valid, MachineName.IsValid(new string('a', length)));

    [Fact]
    public void The_default_name_is_a_name() => Assert.True(MachineName.IsValid(MachineName.Default));

    private static string Refusal()
    {
        string atStart =
            Assert.Throws<HostLimitException>(() => ControlServer.Listen("web", new FakeMachine())).OnCommandLine();
        Assert.Equal(atStart, Assert.Throws<HostLimitException>(RunningMachines.List).OnCommandLine());
        return atStart;
    }

    /// <summary>What SIGKILL leaves: a socket in the file system that nobody listens on.</summary>
    private void LeaveStale(string name)
    {
        _runtime.WithSockets();
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        string bound = Path.Combine(_runtime.Sockets, "bound");
        socket.Bind(new UnixDomainSocketEndPoint(bound));
        socket.Listen();
        File.Move(bound, _runtime.Socket(name)); // or .NET would remove it
    }
}
