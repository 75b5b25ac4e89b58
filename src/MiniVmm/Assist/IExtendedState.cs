namespace MiniVmm.Assist;

/// <summary>What of a vCPU only some instructions need, and is fetched for them alone.</summary>
internal interface IExtendedState
{
    /// <summary>
    /// x87, SSE and extended state in XSAVE's standard format (SDM vol. 1, 13.4); what is changed in it counts from
    /// <see cref="KeepImage"/> on. Empty where KVM does not give it.
    /// </summary>
    Span<byte> Image { get; }

    /// <summary>XCR0; 1 where the processor has none.</summary>
    ulong Xcr0 { get; }

    /// <summary>Has the vCPU take the changed <see cref="Image"/> when the instruction is completed.</summary>
    void KeepImage();

    /// <summary>Reads a model-specific register; false where there is none.</summary>
    bool TryReadMsr(uint index, out ulong value);

    /// <summary>Writes a model-specific register; false where it is refused.</summary>
    bool TryWriteMsr(uint index, ulong value);
}
