using MiniVmm.Control;
using MiniVmm.Control.Verbs;

namespace MiniVmm.Tests.Control;

/// <summary><c>ctl NAME trace</c> from the machine's side.</summary>
public sealed class TraceVerbTests
{
    private static readonly TextArgument What = (TextArgument)new TraceVerb().Arguments[0];
    private static readonly TextArgument File = (TextArgument)new TraceVerb().Arguments[1];
    private readonly FakeMachine _machine = new();

    [Fact]
    public void It_begins_a_trace_and_ends_it()
    {
        Execute(new VerbArguments().Set(What, "io,limit=5").Set(File, "/tmp/trace.json"));
        Assert.Equal((true, "io,limit=5", 15L), (_machine.Trace.IsOn, _machine.Trace.What, _machine.Trace.Events));

        Execute(new VerbArguments().Set(What, "stop"));
        Assert.Equal((false, "io,limit=5"), (_machine.Trace.IsOn, _machine.Trace.What));
    }

    [Fact]
    public void Without_an_argument_it_only_looks()
    {
        string before = _machine.Said;

        Execute(new VerbArguments());

        Assert.Equal(before, _machine.Said);
    }

    private void Execute(VerbArguments arguments) =>
        new TraceVerb().Execute(new VerbCall(_machine, "web", arguments, new MiniVmm.Host.HostFiles(), TimeProvider.System));
}
