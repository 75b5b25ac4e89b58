using MiniVmm.Execution;

namespace MiniVmm.Gdb;

/// <summary>Replies that tell of the guest (GDB manual, "Stop Reply Packets").</summary>
internal static class GdbReplies
{
    // gdb's own numbers of signals, whatever the host's are.
    private const byte Interrupted = 2;
    private const byte IllegalInstruction = 4;
    private const byte Trap = 5;
    private const byte BusError = 10;
    private const byte SegmentationFault = 11;
    private const byte Pipe = 13;
    private const byte Terminated = 15;

    /// <summary>gdb's number of a vCPU: 0 is none of its threads.</summary>
    public static ulong Thread(int vcpu) => (ulong)vcpu + 1;

    /// <param name="reply">Gets the packet.</param>
    /// <param name="stop">What happened.</param>
    /// <param name="knowsBreakpoints">
    /// Whether gdb knows the words for breakpoints. Without them it takes the instruction behind an INT3 for where the vCPU is.
    /// </param>
    public static void AddStop(PacketBuilder reply, GdbStop stop, bool knowsBreakpoints)
    {
        reply.Add("T"u8).AddHex([Signal(stop.Cause)]);
        switch (stop.Cause)
        {
            case StopCause.SoftwareBreakpoint when knowsBreakpoints:
                reply.Add("swbreak:;"u8);
                break;
            case StopCause.HardwareBreakpoint when knowsBreakpoints:
                reply.Add("hwbreak:;"u8);
                break;
            case StopCause.Watch:
                reply.Add(stop.Watch.Kind == BreakpointKind.AccessWatch ? "awatch:"u8 : "watch:"u8)
                    .AddNumber(stop.Watch.Address).Add(";"u8);
                break;
        }

        reply.Add("thread:"u8).AddNumber(Thread(stop.Vcpu)).Add(";"u8);
    }

    public static void AddEnd(PacketBuilder reply, StopReason reason)
    {
        byte signal = reason.Kind switch
        {
            StopKind.Crash => SegmentationFault,
            StopKind.RamUnavailable => BusError,
            StopKind.OutputClosed => Pipe,
            StopKind.Timeout or StopKind.Interrupted => Terminated,
            _ => 0,
        };
        if (signal != 0)
            reply.Add("X"u8).AddHex([signal]);
        else
            reply.Add("W"u8).AddHex([reason.Kind == StopKind.DebugExit ? (byte)((reason.Value << 1) | 1) : (byte)0]);
    }

    private static byte Signal(StopCause cause) => cause switch
    {
        StopCause.Interrupt => Interrupted,
        StopCause.BadInstruction => IllegalInstruction,
        StopCause.Crash => SegmentationFault,
        _ => Trap,
    };
}
