using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices;

/// <summary>Where the registers of a 16550A are, and one with everything it is connected to.</summary>
public abstract class Serial16550Bench
{
    private protected const ulong Data = 0;
    private protected const ulong Ier = 1;
    private protected const ulong IirFcr = 2;
    private protected const ulong Lcr = 3;
    private protected const ulong Mcr = 4;
    private protected const ulong Lsr = 5;
    private protected const ulong Msr = 6;
    private protected const ulong Scratch = 7;

    /// <summary>In <see cref="Mcr"/>: what is sent comes back.</summary>
    private protected const byte Loop = 0x10;

    private protected readonly RecordingSink _sink = new();
    private protected readonly RecordingInterrupt _interrupt = new();
    private protected readonly Serial16550 _serial;

    private protected Serial16550Bench() => _serial = new(_sink, _interrupt);
}
