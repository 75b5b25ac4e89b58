namespace MiniVmm.Devices;

/// <summary>A file of <see cref="FwCfg"/> that the guest writes.</summary>
internal interface IFwCfgWritten
{
    /// <summary>Its bytes: the same array always.</summary>
    byte[] Content { get; }

    /// <summary>The guest has written some of them. On a vCPU's thread, one at a time.</summary>
    void Written();
}
