
namespace MiniVmm.Configuration;

/// <summary>
/// Where gdb connects: <c>[HOST:]PORT</c>, <c>unix:PATH</c>, or QEMU's <c>tcp:[HOST]:PORT</c>. Without a host it is the loopback:
/// whoever connects has the guest in his hands.
/// </summary>
internal static class GdbText
{
    private const string Tcp = "tcp:";

    /// <exception cref="BadInputException">It is no such address.</exception>
    public static StreamAddress Parse(string text) =>
        StreamAddressText.Parse(OptionName.Gdb.With(text), text.StartsWith(Tcp, StringComparison.Ordinal) ? text[Tcp.Length..] : text);
}
