using MiniVmm.Host;

namespace MiniVmm.Control;

/// <summary>
/// The words a request is refused with. (A bad value is described by its <see cref="VerbArgument"/>; what this machine
/// cannot do, by the verb.)
/// </summary>
internal static class ControlRefusal
{
    public const string NotUtf8 = "not UTF-8";

    public const string NotJson = "not a line of JSON";

    public const string NotAnObject = "not a JSON object";

    public const string NoCommand = "command: missing, or not a string";

    public const string Ending = "the machine is ending";

    public static string LineTooLong => $"longer than {ControlProtocol.MaxRequest} bytes";

    public static string BadId => $"id: neither a whole number nor a string of up to {ControlProtocol.MaxId} characters";

    public static string UnknownCommand(string command, IReadOnlyList<ControlVerb> verbs) =>
        $"command: there is no '{HostFiles.Printable(command)}'; use {ControlVerbs.Names(verbs)}";

    public static string UnknownMember(string member, ControlVerb verb) => !verb.Members.Any()
        ? $"{HostFiles.Printable(member)}: {verb.Name} takes no arguments"
        : $"{HostFiles.Printable(member)}: not an argument of {verb.Name}, which takes "
            + string.Join(", ", verb.Members.Select(argument => argument.Name));

    public static string Missing(VerbArgument argument, ControlVerb verb) =>
        $"{argument.Name}: missing; {verb.Name} needs it";

    public static string Wrong(VerbArgument argument, string why) => $"{argument.Name}: {why}";

    public static string Bug(ControlVerb verb, Exception failure) =>
        $"{verb.Name}: a bug in MiniVmm, please report it: {failure.GetType().Name}: {HostFiles.Printable(failure.Message)}";

    public static string NotForYou(ControlVerb verb) => $"{verb.Name} is for {verb.Callers.Description} only";
}
