using System.Text;
using System.Text.Json.Nodes;
using MiniVmm.Measurement;

namespace MiniVmm.Tests.Measurement;

public sealed class ExitJsonTests
{
    private static readonly JsonSchema Schema = JsonSchema.Load("exits.schema.json");

    [Fact]
    public void A_measurement_is_as_the_schema_says() =>
        Assert.Empty(Schema.Errors(Write(MadeReport.Of(MadeReport.All))));

    [Fact]
    public void A_measurement_on_a_host_that_tells_nothing_is_too()
    {
        using HostTree host = HostTree.Empty;
        ExitReport report = MadeReport.Of() with
        {
            Environment = EnvironmentStamp.Read(host.Files, [], TimeProvider.System),
            NoStatistics = "no such thing",
        };

        Assert.Empty(Schema.Errors(Write(report)));
    }

    [Fact]
    public void Every_member_is_in_the_schema_and_all_but_three_must_be_there()
    {
        string json = Write(MadeReport.Of(MadeReport.Split, MadeReport.Missing) with { NoStatistics = "why" });
        string[] paths = [.. Members(JsonNode.Parse(json)!).Select(member => member.GetPath())];
        Assert.True(paths.Length > 100);

        string[] free =
        [
            .. paths.Where(path => Schema.Errors(Change(json, path, (parent, name) => parent.Remove(name))).Count == 0),
        ];
        Assert.Equal(
            ["$.noStatistics", "$.loops[0].split", "$.loops[0].guest"],
            free.Where(path => !path.StartsWith("$.environment.kvm.parameters", StringComparison.Ordinal)
                && !path.StartsWith("$.environment.mitigations.vulnerabilities", StringComparison.Ordinal)));

        Assert.All(
            paths.Where(path => !free.Contains(path)),
            path => Assert.NotEmpty(Schema.Errors(Change(json, path, (parent, name) =>
            {
                JsonNode? value = parent[name];
                parent.Remove(name);
                parent[name + "X"] = value;
            }))));
        Assert.All(paths, path => Assert.NotEmpty(
            Schema.Errors(Change(json, path, (parent, name) => parent[name] = new JsonArray(false)))));
    }

    [Theory]
    [InlineData("$.version", "2")]
    [InlineData("$.tscHertz", "0")]
    [InlineData("$.settings.rounds", "0")]
    [InlineData("$.settings.count", "1.5")]
    [InlineData("$.settings.pin", "[1, 2, 3]")]
    [InlineData("$.settings.disturbance", "\"noise\"")]
    [InlineData("$.loops[0].clock", "\"sun\"")]
    [InlineData("$.loops[0].latency.min", "-1")]
    [InlineData("$.loops[0].kernelCounts[0].counted", "\"many\"")]
    [InlineData("$.environment.loadAverages", "[1, 2]")]
    public void A_value_out_of_its_range_is_not_of_the_schema(string path, string value)
    {
        string json = Write(MadeReport.Of(MadeReport.Split));

        string changed = Change(json, path, (parent, name) => parent[name] = JsonNode.Parse(value));

        Assert.NotEmpty(Schema.Errors(changed));
    }

    [Fact]
    public void A_keyword_that_the_validator_does_not_know_is_not_passed_over() =>
        Assert.Throws<NotSupportedException>(() => new JsonSchema("""{ "pattern": "a+" }""").Errors("\"long\""));

    [Fact]
    public void Durations_are_in_nanoseconds_whatever_the_users_culture()
    {
        using OtherCulture german = new();

        JsonNode latency = JsonNode.Parse(Write(MadeReport.Of(MadeReport.Single)))!["loops"]![0]!["latency"]!;

        Assert.Equal(1, (long)latency["count"]!);
        Assert.Equal(1500, (double)latency["min"]!);
        Assert.Equal(1500, (double)latency["p99.9"]!);
    }

    private static string Write(ExitReport report)
    {
        using MemoryStream stream = new();
        ExitJson.Write(report, stream);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static string Change(string json, string path, Action<JsonObject, string> change)
    {
        JsonNode root = JsonNode.Parse(json)!;
        JsonNode member = Members(root).Single(node => node.GetPath() == path);
        change(member.Parent!.AsObject(), member.GetPropertyName());
        return root.ToJsonString();
    }

    /// <summary>The members of all objects, but for those that are null: they have no node.</summary>
    private static IEnumerable<JsonNode> Members(JsonNode node) => node switch
    {
        JsonObject members => members.Where(member => member.Value is not null)
            .SelectMany(member => Members(member.Value!).Prepend(member.Value!)),
        JsonArray items => items.Where(item => item is not null).SelectMany(item => Members(item!)),
        _ => [],
    };
}
