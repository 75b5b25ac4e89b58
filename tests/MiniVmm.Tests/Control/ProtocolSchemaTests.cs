using MiniVmm.Control;

namespace MiniVmm.Tests.Control;

public sealed class ProtocolSchemaTests
{
    [Fact]
    public void The_schema_in_docs_is_what_the_verbs_say() => Assert.True(
        File.ReadAllText(ControlSchema.File) == ControlSchema.Text(ControlVerbs.All),
        "docs/control.schema.json is not what the verbs say; write it with: "
        + "out/minivmm schema > docs/control.schema.json");

    [Fact]
    public void A_line_is_one_of_a_request_and_an_answer()
    {
        JsonSchema schema = new(ControlSchema.Text(ControlVerbs.All));

        Assert.Empty(schema.Errors("""{"command":"balloon","bytes":4096,"id":"a"}"""));
        Assert.Empty(schema.Errors("""{"id":1,"error":"no"}"""));
        Assert.NotEmpty(schema.Errors("""{"command":"balloon","bytes":"96M"}"""));
        Assert.NotEmpty(schema.Errors("""{"ok":true,"balloon":{"targetBytes":1}}"""));
    }

    [Fact]
    public void A_verb_more_is_in_it_without_further_ado()
    {
        string schema = ControlSchema.Text([.. ControlVerbs.All, new RepeatVerb()]);

        Assert.Empty(ControlSchema.Errors(schema, "request", """{"command":"repeat","text":"a","times":3}"""));
        Assert.Empty(ControlSchema.Errors(schema, "answer", """{"ok":true,"said":{"text":"aaa","limit":0}}"""));
        Assert.NotEmpty(ControlSchema.Errors(schema, "repeatRequest", """{"command":"repeat","text":"a","times":4}"""));
        Assert.NotEmpty(ControlSchema.Errors(schema, "repeatRequest", """{"command":"repeat","times":3}"""));
    }
}
