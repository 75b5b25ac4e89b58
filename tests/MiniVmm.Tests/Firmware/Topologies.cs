using MiniVmm.Firmware;

namespace MiniVmm.Tests.Firmware;

/// <summary>Processor lists that the firmware tests share.</summary>
internal static class Topologies
{
    /// <summary>Processors that are all present, by APIC ID.</summary>
    public static FirmwareCpus Present(params IEnumerable<uint> apicIds) =>
        new(apicIds.Select(id => new FirmwareCpu(id, true)));

    /// <summary>Processors 0 up to <paramref name="possible"/>, of which the first ones are present.</summary>
    public static FirmwareCpus Some(int present, int possible) =>
        new(Enumerable.Range(0, possible).Select(i => new FirmwareCpu((uint)i, i < present)));
}
