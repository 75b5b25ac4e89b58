using System.Text.Json.Nodes;
using MiniVmm.Control.Verbs;

namespace MiniVmm.Tests.Control;

/// <summary>What a client is told of each mistake that it can make.</summary>
public sealed class ControlRefusalTests
{
    private const string Repeat = "\"command\":\"repeat\",\"text\":\"a\"";

    [Theory]
    [InlineData("stop", "not a line of JSON")]
    [InlineData("{\"command\":\"stop\",\"command\":\"stop\"}", "not a line of JSON")]
    [InlineData("[]", "not a JSON object")]
    [InlineData("{}", "command: missing, or not a string")]
    [InlineData("{\"command\":7}", "command: missing, or not a string")]
    [InlineData("{\"command\":\"stop\",\"id\":1.5}", "id: neither a whole number nor a string of up to 64 characters")]
    [InlineData("{\"command\":\"reboot\"}", "command: there is no 'reboot'; use stop or repeat")]
    [InlineData("{\"command\":\"STOP\"}", "command: there is no 'STOP'; use stop or repeat")]
    [InlineData("{\"command\":\"a\\u001bb\"}", "command: there is no 'a\ufffdb'; use stop or repeat")]
    [InlineData("{\"command\":\"stop\",\"force\":1}", "force: stop takes no arguments")]
    [InlineData("{\"command\":\"stop\",\"\\u001b\":1}", "\ufffd: stop takes no arguments")]
    [InlineData("{" + Repeat + ",\"force\":1}", "force: not an argument of repeat, which takes text, times, limit")]
    [InlineData("{" + Repeat + "}", "times: missing; repeat needs it")]
    [InlineData("{" + Repeat + ",\"times\":4}", "times: not a whole number from -1 to 3")]
    [InlineData("{" + Repeat + ",\"times\":-2}", "times: not a whole number from -1 to 3")]
    [InlineData("{" + Repeat + ",\"times\":9223372036854775808}", "times: not a whole number from -1 to 3")]
    [InlineData("{" + Repeat + ",\"times\":1,\"limit\":-1}", "limit: not a whole number of bytes")]
    [InlineData("{" + Repeat + ",\"times\":1,\"limit\":18446744073709551616}", "limit: not a whole number of bytes")]
    [InlineData("{\"command\":\"repeat\",\"text\":\"\"}", "text: not a string of 1 to 8 characters")]
    [InlineData("{\"command\":\"repeat\",\"text\":\"123456789\"}", "text: not a string of 1 to 8 characters")]
    [InlineData("{\"command\":\"repeat\",\"text\":\"\\ud800\"}", "not a line of JSON")]
    public void Each_mistake_is_told_by_its_name(string line, string error) =>
        Assert.Equal(error, (string?)JsonNode.Parse(Answer(line))!["error"]);

    [Theory]
    [InlineData(-1)]
    [InlineData(3)]
    public void Bounds_are_allowed_themselves(int times) => Assert.Equal(
        string.Concat(Enumerable.Repeat("a", Math.Max(0, times))),
        (string?)JsonNode.Parse(Answer($"{{{Repeat},\"times\":{times}}}"))!["said"]!["text"]);

    [Theory]
    [InlineData("ulong.MaxValue", "18446744073709551615", "loud")]
    [InlineData("none", "0", null)]
    public void A_size_may_be_as_large_as_64_bits_and_what_is_left_out_is_none(string _, string limit, string? mood)
    {
        JsonNode said = JsonNode.Parse(Answer($"{{{Repeat},\"times\":1,\"limit\":{limit}}}"))!["said"]!;

        Assert.Equal(limit, said["limit"]!.ToJsonString());
        Assert.Equal(mood, (string?)said["mood"]);
    }

    private static string Answer(string line) =>
        TestProtocol.Answer(new FakeMachine(), line, [new StopVerb(), new RepeatVerb()]);
}
