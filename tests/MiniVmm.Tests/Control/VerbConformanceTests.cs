using System.Text;
using System.Text.Json.Nodes;
using MiniVmm.Control;

namespace MiniVmm.Tests.Control;

/// <summary>What each verb keeps to, those to come included; and a verb of the tests' own, with arguments of all kinds.</summary>
public sealed class VerbConformanceTests
{
    private const uint Stranger = 12345;

    private static readonly ControlVerb[] All = [.. ControlVerbs.All, new RepeatVerb()];

    private static readonly string Schema = ControlSchema.Text(All);

    private readonly FakeMachine _machine = new();

    public static TheoryData<string> Verbs => [.. All.Select(verb => verb.Name)];

    public static TheoryData<string, string> Arguments =>
    [
        .. from verb in All
           from argument in verb.Members
           select (verb.Name, argument.Name),
    ];

    [Fact]
    public void Names_are_words_of_a_shell_and_no_two_are_the_same()
    {
        Assert.All(All, verb => Assert.Matches("^[a-z]+$", verb.Name));
        Assert.Equal(All.Length, All.DistinctBy(verb => verb.Name).Count());
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void It_and_each_argument_has_a_help_text(string name)
    {
        ControlVerb verb = Find(name);

        Assert.Matches("^[A-Z].*[^.]$", verb.Help);
        Assert.All(verb.Arguments, argument =>
        {
            Assert.Matches("^[a-z].*[^.]$", argument.Help);
            Assert.Matches("^[A-Z]+$", argument.Word);
            Assert.Matches("^[a-z][A-Za-z]*$", argument.Name);
            Assert.False(argument.Name is "id" or "command");
        });
        Assert.Equal(verb.Arguments.OrderByDescending(argument => argument.IsRequired), verb.Arguments);
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Its_requests_and_answers_are_as_the_schema_says(string name)
    {
        ControlVerb verb = Find(name);
        JsonObject least = Request(verb, verb.Members.Where(argument => argument.IsRequired));
        JsonObject most = Request(verb, verb.Members);
        most["id"] = 7;

        foreach (string request in new[] { least.ToJsonString(), most.ToJsonString() })
        {
            Assert.Empty(ControlSchema.Errors(Schema, $"{name}Request", request));
            string answer = Answer(request);
            Assert.Empty(ControlSchema.Errors(Schema, $"{name}Answer", answer));
            Assert.NotEmpty(ControlSchema.Errors(Schema, "error", answer));
        }
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void One_that_only_looks_leaves_the_machine_as_it_was(string name)
    {
        ControlVerb verb = Find(name);
        string before = _machine.Said;

        Answer(Request(verb, verb.Members).ToJsonString());

        // One that changes machines changes this one: nothing would be shown by a machine that nothing changes.
        Assert.Equal(verb.ChangesMachine, before != _machine.Said);
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void A_stranger_is_refused_and_nothing_is_done(string name)
    {
        ControlVerb verb = Find(name);
        string before = _machine.Said;

        string answer = Answer(Request(verb, verb.Members).ToJsonString(), Stranger);

        Assert.Equal($"{{\"error\":\"{name} is for the machine\\u0027s own user and root only\"}}", answer);
        Assert.Equal(before, _machine.Said);
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void A_member_that_it_does_not_have_is_refused_by_name(string name)
    {
        ControlVerb verb = Find(name);
        JsonObject request = Request(verb, verb.Members);
        request["force"] = true;

        Assert.StartsWith("force: ", Refused(verb, request), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Arguments))]
    public void A_required_argument_that_is_missing_is_asked_for(string verbName, string argumentName)
    {
        ControlVerb verb = Find(verbName);
        VerbArgument missing = verb.Members.Single(argument => argument.Name == argumentName);
        JsonObject request = Request(verb, verb.Members.Where(argument => argument != missing));

        if (missing.IsRequired)
            Assert.Equal($"{argumentName}: missing; {verbName} needs it", Refused(verb, request));
        else
            Assert.Empty(ControlSchema.Errors(Schema, $"{verbName}Answer", Answer(request.ToJsonString())));
    }

    [Theory]
    [MemberData(nameof(Arguments))]
    public void An_argument_of_another_type_is_refused_by_name(string verbName, string argumentName)
    {
        ControlVerb verb = Find(verbName);
        JsonNode good = Value(verb.Members.Single(argument => argument.Name == argumentName));
        string[] values = ["null", "true", "1.5", "\"96M\"", "7", "[]", "{}", "[7]"];

        foreach (JsonNode? value in values.Select(value => JsonNode.Parse(value)))
        {
            if (value?.GetValueKind() == good.GetValueKind() && value.ToJsonString() != "1.5")
                continue;
            JsonObject request = Request(verb, verb.Members);
            request[argumentName] = value;

            Assert.StartsWith($"{argumentName}: not a ", Refused(verb, request), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_manual_shows_how_to_ask_for_each()
    {
        string page = File.ReadAllText(Path.Combine(Path.GetDirectoryName(ControlSchema.File)!, "control.md"));

        Assert.All(ControlVerbs.All, verb =>
        {
            Assert.Contains($"| `{{\"command\":\"{verb.Name}\"}}` |", page, StringComparison.Ordinal);
            Assert.Contains($"| `minivmm ctl NAME {verb.Name}", page, StringComparison.Ordinal);
        });
    }

    /// <summary>What is wrong with a request, by the machine and by the schema; and nothing is done.</summary>
    private string Refused(ControlVerb verb, JsonObject request)
    {
        string before = _machine.Said;
        string answer = Answer(request.ToJsonString());
        Assert.Empty(ControlSchema.Errors(Schema, "error", answer));
        Assert.NotEmpty(ControlSchema.Errors(Schema, $"{verb.Name}Request", request.ToJsonString()));
        Assert.Equal(before, _machine.Said);
        return (string)JsonNode.Parse(answer)!["error"]!;
    }

    private static JsonObject Request(ControlVerb verb, IEnumerable<VerbArgument> arguments)
    {
        JsonObject request = new() { ["command"] = verb.Name };
        foreach (VerbArgument argument in arguments)
            request[argument.Name] = Value(argument);
        return request;
    }

    /// <summary>Something that the argument may be.</summary>
    private static JsonNode Value(VerbArgument argument) => argument switch
    {
        SizeArgument => 8192,
        NumberArgument => 1,
        TextArgument => "some",
        _ => throw new NotSupportedException($"{argument.GetType().Name} is not known here"),
    };

    private static ControlVerb Find(string name) => ControlVerbs.Find(All, name)!;

    private string Answer(string request, uint caller = 0) =>
        TestProtocol.Answer(_machine, Encoding.UTF8.GetBytes(request), verbs: All, caller: caller);
}
