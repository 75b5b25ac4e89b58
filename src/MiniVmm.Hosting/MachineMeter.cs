namespace MiniVmm.Hosting;

/// <summary>The meter of the host's machines, for whoever exports it.</summary>
public static class MachineMeter
{
    public const string Name = "MiniVmm";
}
