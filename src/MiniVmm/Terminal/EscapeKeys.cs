namespace MiniVmm.Terminal;

/// <summary>What a key typed on the console means.</summary>
internal enum EscapeAction
{
    /// <summary>It goes to the guest.</summary>
    Send,

    /// <summary>It was the start of a command, or no command: it goes nowhere.</summary>
    Swallow,
    Help,
    Switch,
    Break,
    Suspend,
    End,
}

/// <summary>Ctrl-A and a letter, with QEMU's meanings.</summary>
internal sealed class EscapeKeys
{
    /// <summary>What Ctrl-A h prints.</summary>
    public const string Help = """

        Ctrl-A h       this help
        Ctrl-A x       end the virtual machine
        Ctrl-A z       suspend it, as Ctrl-Z does elsewhere
        Ctrl-A c       switch between the guest's console and its screen
        Ctrl-A b       send a break (SysRq on a Linux console)
        Ctrl-A Ctrl-A  send Ctrl-A itself

        """;

    private const byte CtrlA = 1;
    private bool _escaped;

    /// <summary>Takes the next key.</summary>
    public EscapeAction Press(byte key)
    {
        if (!_escaped)
        {
            _escaped = key == CtrlA;
            return _escaped ? EscapeAction.Swallow : EscapeAction.Send;
        }

        _escaped = false;
        return key switch
        {
            (byte)'x' or (byte)'X' => EscapeAction.End,
            (byte)'h' or (byte)'H' or (byte)'?' => EscapeAction.Help,
            (byte)'c' or (byte)'C' => EscapeAction.Switch,
            (byte)'z' or (byte)'Z' => EscapeAction.Suspend,
            (byte)'b' or (byte)'B' => EscapeAction.Break,
            CtrlA => EscapeAction.Send,
            _ => EscapeAction.Swallow,
        };
    }
}
