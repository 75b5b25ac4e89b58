using MiniVmm.Pci;

namespace MiniVmm.Passthrough;

/// <summary>
/// The guest's side of MSI (PCI Local Bus 3.0, 6.8.1): one message for all vectors, each of which puts its number into the
/// low bits of the data. One call at a time.
/// </summary>
/// <param name="lines">A line for each vector, up to 32; this one's from here on.</param>
internal sealed class MsiVectors(IMessageLine[] lines) : IDisposable
{
    /// <summary>The vectors that are masked and have come meanwhile, a bit each.</summary>
    public uint Pending
    {
        get
        {
            uint pending = 0;
            for (int vector = 0; vector < lines.Length; vector++)
            {
                if (lines[vector].IsPending)
                    pending |= 1u << vector;
            }

            return pending;
        }
    }

    /// <summary>Connects the vectors as the capability says.</summary>
    /// <param name="count">How many the guest allows, a power of two; 0 for MSI that is off.</param>
    /// <param name="address">Message address.</param>
    /// <param name="data">Message data.</param>
    /// <param name="masks">A bit for each vector that is held back.</param>
    public void Set(int count, ulong address, uint data, uint masks)
    {
        for (int vector = 0; vector < lines.Length; vector++)
        {
            if (vector < count && (masks >> vector & 1) == 0)
            {
                _ = lines[vector].TryConnect(address, (data & ~((uint)count - 1)) | (uint)vector);
            }
            else
            {
                lines[vector].Disconnect();
                if (count == 0)
                    lines[vector].Clear();
            }
        }
    }

    public void Dispose()
    {
        foreach (IMessageLine line in lines)
            line.Dispose();
    }
}
