namespace MiniVmm.Gdb;

/// <summary>The actions of a <c>vCont</c> packet: for each vCPU the first that names it, or none.</summary>
internal sealed class VContActions
{
    private const int Most = 4096; // no machine has more vCPUs

    private readonly List<(VcpuOrder Order, int? Vcpu)> _actions = [];

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
            ulong start = 0;
            ulong end = 0;
            if (action.TryTake('c') || (hasSignal = action.TryTake('C')))
                order = ThreadOrder.Continue;
            else if (action.TryTake('s') || (hasSignal = action.TryTake('S')))
                order = ThreadOrder.Step;
            else if (action.TryTake('r'))
            {
                order = ThreadOrder.Step;
                if (!action.TryTakeNumber(out start) || !action.TryTake(',') || !action.TryTakeNumber(out end))
                    return null;
            }
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
            actions._actions.Add((new(order, start, end), vcpu));
        }

        return actions._actions.Count > 0 ? actions : null;
    }

    public VcpuOrder For(int vcpu)
    {
        foreach ((VcpuOrder order, int? named) in _actions)
        {
            if (named is null || named == vcpu)
                return order;
        }

        return new(ThreadOrder.Stay);
    }
}
