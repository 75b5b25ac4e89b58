using System.Text;
using MiniVmm.Control;
using MiniVmm.Host;

namespace MiniVmm.Tests.Control;

/// <summary>The protocol of a machine called "web", without a socket.</summary>
internal static class TestProtocol
{
    /// <summary>What root is answered, without the newline that must end it.</summary>
    public static string Answer(FakeMachine machine, string request, IReadOnlyList<ControlVerb>? verbs = null) =>
        Answer(machine, Encoding.UTF8.GetBytes(request), verbs: verbs);

    /// <inheritdoc cref="Answer(FakeMachine, string, IReadOnlyList{ControlVerb}?)"/>
    /// <param name="machine">Which one is asked.</param>
    /// <param name="request">A line without its newline.</param>
    /// <param name="host">What it sees of the host; null for this one.</param>
    /// <param name="verbs">Those that it knows; null for all.</param>
    /// <param name="caller">The user who asks.</param>
    public static string Answer(
        FakeMachine machine,
        byte[] request,
        HostFiles? host = null,
        IReadOnlyList<ControlVerb>? verbs = null,
        uint caller = 0)
    {
        ControlProtocol protocol = new("web", machine, host ?? new HostFiles(), TimeProvider.System, verbs);
        string answer = Encoding.UTF8.GetString(protocol.Answer(request, caller));
        Assert.Equal(answer.Length - 1, answer.IndexOf('\n', StringComparison.Ordinal));
        return answer[..^1];
    }
}
