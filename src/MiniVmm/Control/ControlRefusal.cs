using MiniVmm.Host;

namespace MiniVmm.Control;

/// <summary>
/// What a request is refused with, for people. (What is wrong with an argument's value its <see cref="VerbArgument"/>
/// says; what this machine cannot do, its verb.)
/// </summary>
internal static class ControlRefusal
{
    public const string NotUtf8 = "not UTF-8";

    public const string NotJson = "not a line of JSON";

    public const string NotAnObject = "not a JSON object";

    public const string NoCommand = "command: missing, or not a string";

    public const string Ending = "the machine is ending";

    public static string LineTooLong => $"a line of more than {ControlProtocol.MaxRequest} bytes";

    public static string BadId => $"id: neither a whole number nor a string of up to {ControlProtocol.MaxId} characters";

    public static string UnknownCommand(string command, IReadOnlyList<ControlVerb> verbs) =>
        $"command: no '{HostFiles.Printable(command)}'; use {ControlVerbs.Names(verbs)}";

    public static string UnknownMember(string member, ControlVerb verb) => verb.Arguments.Count == 0
        ? $"{HostFiles.Printable(member)}: {verb.Name} has no arguments"
        : $"{HostFiles.Printable(member)}: not an argument of {verb.Name}, which has "
            + string.Join(", ", verb.Arguments.Select(argument => argument.Name));

    public static string Missing(VerbArgument argument, ControlVerb verb) =>
        $"{argument.Name}: missing; {verb.Name} needs it";

    public static string Wrong(VerbArgument argument, string why) => $"{argument.Name}: {why}";

    public static string Fault(ControlVerb verb, Exception fault) =>
        $"{verb.Name}: a fault in MiniVmm; please report it: {fault.GetType().Name}: {HostFiles.Printable(fault.Message)}";

    public static string NotForYou(ControlVerb verb) => $"{verb.Name} is for {verb.Callers.Description} only";
}
