namespace MiniVmm.Inspection;

/// <summary>One exception of a <see cref="FaultChain"/>.</summary>
/// <param name="Vector">Which.</param>
/// <param name="Fault">What kept it from its handler; null where it was called.</param>
internal readonly record struct FaultStep(byte Vector, DeliveryFault? Fault);

/// <summary>
/// What follows from an exception: its delivery, that of the one which this raises, and so on, until a handler is called or
/// the processor shuts down (SDM vol. 3, 6.15, "Double Fault").
/// </summary>
/// <param name="Steps">The exceptions in turn; the first one is the one that was asked for.</param>
/// <param name="IsTripleFault">Whether the last one is a double fault that could not be delivered.</param>
/// <param name="HandlerFault">What is wrong with the first instruction of the handler that was called; null for nothing.</param>
internal sealed record FaultChain(IReadOnlyList<FaultStep> Steps, bool IsTripleFault, InstructionFault? HandlerFault)
{
    // Each serial pair is a step more; there is no longer way to a double fault.
    private const int MostSteps = 6;

    /// <summary>Works it out.</summary>
    /// <param name="view">The vCPU at the instruction that raises the exception.</param>
    /// <param name="vector">The exception or interrupt.</param>
    /// <param name="isSoftware">Whether an INT n asked for it.</param>
    public static FaultChain From(GuestView view, byte vector, bool isSoftware)
    {
        List<FaultStep> steps = [];
        byte next = vector;
        while (steps.Count < MostSteps)
        {
            DeliveryFault? fault = ExceptionDelivery.Find(view, next, isSoftware && steps.Count == 0, out Delivery delivery);
            steps.Add(new(next, fault));
            if (fault is null)
                return new(steps, false, delivery.Handler == 0 ? null : CodeFetch.Check(view, delivery.Handler));
            if (next == ExceptionVector.DoubleFault)
                return new(steps, true, null);
            next = ExceptionVector.MakeDoubleFault(next, fault.Vector) ? ExceptionVector.DoubleFault : fault.Vector;
        }

        return new(steps, false, null);
    }
}
