namespace MiniVmm.Devices;

/// <summary>Where a machine's processors are put in and taken out, as the device sees it by which a guest knows of that.</summary>
internal interface IProcessorBay
{
    /// <summary>Whether the processor of that index is in.</summary>
    bool IsPresent(int index);

    /// <summary>
    /// Takes a processor out, without effect where it is: it runs nothing more once it has left its instruction. Safe from
    /// any thread, the processor's own too; allocates nothing and takes no lock.
    /// </summary>
    void TakeOut(int index);
}
