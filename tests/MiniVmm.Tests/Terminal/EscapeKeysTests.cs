using MiniVmm.Terminal;

namespace MiniVmm.Tests.Terminal;

public sealed class EscapeKeysTests
{
    private const byte CtrlA = 1;

    [Theory]
    [InlineData((byte)'x', EscapeAction.End)]
    [InlineData((byte)'X', EscapeAction.End)]
    [InlineData((byte)'h', EscapeAction.Help)]
    [InlineData((byte)'?', EscapeAction.Help)]
    [InlineData((byte)'b', EscapeAction.Break)]
    [InlineData((byte)'B', EscapeAction.Break)]
    [InlineData((byte)'z', EscapeAction.Suspend)]
    [InlineData((byte)'Z', EscapeAction.Suspend)]
    [InlineData(CtrlA, EscapeAction.Send)]
    [InlineData((byte)'q', EscapeAction.Swallow)]
    [InlineData((byte)'\r', EscapeAction.Swallow)]
    [InlineData((byte)0, EscapeAction.Swallow)]
    public void A_key_after_Ctrl_A_is_a_command_and_the_next_is_a_key_again(byte key, Enum action)
    {
        EscapeKeys keys = new();

        Assert.Equal(EscapeAction.Swallow, keys.Press(CtrlA));
        Assert.Equal((EscapeAction)action, keys.Press(key));
        Assert.Equal(EscapeAction.Send, keys.Press((byte)'x'));
    }

    [Fact]
    public void Every_other_key_is_the_guests()
    {
        EscapeKeys keys = new();

        Assert.All(Enumerable.Range(2, 254).Append(0), key => Assert.Equal(EscapeAction.Send, keys.Press((byte)key)));
    }

    [Fact]
    public void The_help_names_every_command()
    {
        foreach (string command in (string[])["Ctrl-A h", "Ctrl-A x", "Ctrl-A z", "Ctrl-A b", "Ctrl-A Ctrl-A"])
            Assert.Contains(command, EscapeKeys.Help, StringComparison.Ordinal);
    }
}
