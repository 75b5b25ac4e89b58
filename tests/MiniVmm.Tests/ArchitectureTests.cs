using System.Reflection;
using System.Text.RegularExpressions;
using MiniVmm.Cli;
using MiniVmm.Configuration;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Hosting;
using MiniVmm.Kvm;
using MiniVmm.Measurement;
using MiniVmm.Serve;
using MiniVmm.Teaching.Doctor;
using MiniVmm.Testing;
using MiniVmm.Tests.Cli;
using MiniVmm.Tools;
using MiniVmm.Tracing.Files;

namespace MiniVmm.Tests;

/// <summary>Arrows between assemblies and rooms point down only, as ARCHITECTURE.md says.</summary>
public sealed partial class ArchitectureTests
{
    private static readonly Dictionary<Assembly, string[]> Assemblies = new()
    {
        [typeof(Errno).Assembly] = [],
        [typeof(KvmVm).Assembly] = ["Host"],
        [typeof(RunLoop).Assembly] = ["Host", "Kvm"],
        [typeof(ExitReport).Assembly] = ["Host", "Kvm", ""],
        [typeof(OptionTexts).Assembly] = [""],
        [typeof(RestartPolicy).Assembly] = ["Host", "Kvm", "", "Configuration"],
        [typeof(TestCase).Assembly] = ["Host", "Kvm", "", "Configuration"],
        [typeof(DoctorReport).Assembly] = ["Host", "Kvm", "", "Measurement"],
        [typeof(ServeArguments).Assembly] = ["Host", "", "Hosting", "Tracing"],
        [typeof(TraceContents).Assembly] = ["Host", "Kvm", ""],
        [typeof(CommandLine).Assembly] = ["Host", "Kvm", "", "Configuration", "Tracing"],
        [typeof(ToolsCommands).Assembly] = ["Host", "Kvm", "", "Configuration", "Measurement", "Teaching", "Testing", "Tracing", "Serve", "Cli"],
    };

    /// <summary>Rooms of the library, each with those that it may use; below them all are the assemblies of above.</summary>
    private static readonly Dictionary<string, string[]> Rooms = new()
    {
        ["Memory"] = [],
        ["Storage"] = [],
        ["Sharing"] = [],
        ["Network"] = [],
        ["Cpu"] = [],
        ["Devices"] = ["Memory"],
        ["Pci"] = ["Memory", "Devices"],
        ["Passthrough"] = ["Memory", "Devices", "Pci"],
        ["Virtio"] = ["Memory", "Devices", "Pci", "Storage", "Sharing", "Network", "Tracing"],
        ["Ide"] = ["Memory", "Devices", "Pci", "Storage"],
        ["Floppy"] = ["Memory", "Devices", "Storage"],
        ["Firmware"] = ["Memory", "Devices"],
        ["Boot"] = ["Memory", "Firmware"],
        ["Assist"] = ["Memory", "Inspection"],
        ["Tracing"] = ["Devices"],
        ["Execution"] = ["Memory", "Devices", "Boot", "Inspection", "Assist", "Tracing"],
        ["Display"] = ["Memory", "Devices"],
        ["Inspection"] = ["Memory"],
        ["Symbols"] = ["Memory", "Boot"],
        ["Diagnostics"] = ["Memory", "Boot", "Execution", "Display", "Inspection", "Symbols"],
        ["Gdb"] = ["Memory", "Devices", "Execution", "Inspection", "Diagnostics"],
        ["Control"] = ["Virtio"],
        ["Terminal"] = ["Devices", "Execution", "Display"],
        ["Machine"] =
        [
            "Memory", "Storage", "Sharing", "Network", "Passthrough", "Cpu", "Devices", "Pci", "Virtio", "Ide", "Floppy", "Firmware", "Boot",
            "Inspection", "Assist", "Tracing", "Execution", "Display", "Symbols", "Diagnostics", "Gdb", "Control", "Terminal",
        ],
    };

    [Fact]
    public void An_assembly_refers_to_those_below_it_only()
    {
        foreach ((Assembly assembly, string[] allowed) in Assemblies)
        {
            IEnumerable<string> used = assembly.GetReferencedAssemblies().Select(name => name.Name!)
                .Where(name => name.StartsWith("MiniVmm", StringComparison.Ordinal));

            Assert.Empty(used.Except(allowed.Select(Name)));
        }
    }

    [Fact]
    public void Every_project_of_src_has_its_place()
    {
        string[] projects = [.. Directory.GetDirectories(Path.Combine(Repository.Root, "src")).Select(Path.GetFileName)!];

        Assert.Equal(projects.Order(), Assemblies.Keys.Select(assembly => assembly.GetName().Name!).Order());
        Assert.All(projects, project => Assert.Contains($"**{project}**", Page(), StringComparison.Ordinal));
    }

    [Fact]
    public void Every_room_of_the_library_has_its_place()
    {
        string[] folders = [.. Directory.GetDirectories(Library).Select(Path.GetFileName).Where(name => name is not ("bin" or "obj"))!];

        Assert.Equal(folders.Order(), Rooms.Keys.Order());
        foreach ((string room, string[] allowed) in Rooms)
        {
            Match row = Regex.Match(Page(), $@"^\| `{room}` \|.*\| (?<uses>[^|]*) \|$", RegexOptions.Multiline);
            Assert.True(row.Success, $"ARCHITECTURE.md has no row for {room}");
            string uses = row.Groups["uses"].Value;
            if (uses != "all of them")
                Assert.Equal(allowed.Order(), uses == "–" ? [] : uses.Split(", ").Order());
            else
                Assert.Equal(Rooms.Keys.Where(name => name != room).Order(), allowed.Order());
        }
    }

    [Fact]
    public void A_room_uses_those_below_it_only()
    {
        string[] offences =
        [
            .. from room in Rooms
               from file in Directory.GetFiles(Path.Combine(Library, room.Key), "*.cs", SearchOption.AllDirectories)
               from used in Named(File.ReadAllText(file))
               where used != room.Key && !room.Value.Contains(used)
               select $"{Path.GetRelativePath(Repository.Root, file)} uses {used}",
        ];

        Assert.True(offences.Length == 0, string.Join("\n", offences));
    }

    [Fact]
    public void The_rooms_have_no_cycle()
    {
        HashSet<string> placed = [];
        while (Rooms.Keys.FirstOrDefault(room => !placed.Contains(room) && Rooms[room].All(placed.Contains)) is { } next)
            placed.Add(next);

        Assert.Equal(Rooms.Count, placed.Count);
    }

    private static string Library => Path.Combine(Repository.Root, "src", "MiniVmm");

    private static string Name(string suffix) => suffix.Length == 0 ? "MiniVmm" : $"MiniVmm.{suffix}";

    private static string Page() => File.ReadAllText(Path.Combine(Repository.Root, "ARCHITECTURE.md"));

    // In a using directive, or spelled out in full or in part: every file of the library is in a namespace of its room.
    private static IEnumerable<string> Named(string source) =>
        RoomName().Matches(source)
            .Where(match => match.Groups["root"].Success || Types.Contains($"MiniVmm.{match.Groups["room"].Value}.{match.Groups["type"].Value}"))
            .Select(match => match.Groups["room"].Value)
            .Where(Rooms.ContainsKey);

    private static readonly HashSet<string> Types = [.. typeof(RunLoop).Assembly.GetTypes().Select(type => type.FullName!)];

    [GeneratedRegex(@"\b(?<root>MiniVmm\.)?(?<room>[A-Z]\w+)(\.(?<type>[A-Z]\w+))?")]
    private static partial Regex RoomName();
}
