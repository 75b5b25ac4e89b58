namespace MiniVmm.Gdb;

/// <summary>The actions of a <c>vCont</c> packet: for each vCPU the first that names it, or none.</summary>
internal sealed class VContActions
{
    private const int Most = 4096; // no machine has more vCPUs

    private readonly List<(ThreadOrder Order, int? Vcpu)> _actions = [];

    private VContActions()
    {
    }

    /// <param name="text">What is behind <c>vCont;</c>.</param>
    /// <returns>Null where it makes no sense.</returns>
    public static VContActions? TryParse(ReadOnlySpan<byte> text)
    {
        VContActions actions = new();
        PacketCursor all = new(text);
        while (!all.IsAtEnd)
        {
            PacketCursor action = new(all.TakeUntil(';'));
            bool hasSignal = false;
            ThreadOrder order;
            if (action.TryTake('c') || (hasSignal = action.TryTake('C')))
                order = ThreadOrder.Continue;
            else if (action.TryTake('s') || (hasSignal = action.TryTake('S')))
                order = ThreadOrder.Step;
            else if (action.TryTake('t'))
                order = ThreadOrder.Stay;
            else
                return null;
            if (hasSignal && !action.TryTakeNumber(out int _)) // no signal is delivered to a guest
                return null;
            int? vcpu = null;
            if (action.TryTake(':') && !action.TryTake("-1"u8))
            {
                if (!action.TryTakeNumber(out int thread) || thread == 0)
                    return null;
                vcpu = thread - 1;
            }

            if (!action.IsAtEnd || actions._actions.Count == Most)
                return null;
            actions._actions.Add((order, vcpu));
        }

        return actions._actions.Count > 0 ? actions : null;
    }

    public ThreadOrder For(int vcpu)
    {
        foreach ((ThreadOrder order, int? named) in _actions)
        {
            if (named is null || named == vcpu)
                return order;
        }

        return ThreadOrder.Stay;
    }
}
