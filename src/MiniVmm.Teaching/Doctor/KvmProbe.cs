using MiniVmm.Host;
using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Doctor;

/// <summary>Who owns /dev/kvm, and what its mode is.</summary>
/// <param name="Mode">Type and permission bits, as stat(2) gives them.</param>
internal readonly record struct DeviceNode(int Mode, uint User, uint Group, uint Major, uint Minor)
{
    private const int CharacterDevice = 0x2000;

    public bool IsCharacterDevice => (Mode & FileCalls.S_IFMT) == CharacterDevice;

    /// <summary>Whether members of its group may read and write it.</summary>
    public bool IsForItsGroup => (Mode & 0x30) == 0x30;

    /// <summary>The permissions as ls(1) writes them in octal: 0660.</summary>
    public string Permissions => "0" + Convert.ToString(Mode & 0x1ff, 8).PadLeft(3, '0');
}

/// <summary>What /dev/kvm answered.</summary>
internal sealed record KvmProbe
{
    /// <summary>The device; null if there is none.</summary>
    public DeviceNode? Node { get; init; }

    /// <summary>Why it could not be opened, or is not KVM; null if it is.</summary>
    public string? Error { get; init; }

    /// <summary>The open's error number; 0 if it was opened.</summary>
    public int OpenErrno { get; init; }

    /// <summary>What KVM_CHECK_EXTENSION said to each capability; empty without KVM.</summary>
    public IReadOnlyList<(KvmCapability Capability, int Value)> Capabilities { get; init; } = [];

    /// <summary>How long guests' supervisor code takes; null if none ran.</summary>
    public SupervisorTiming? Timing { get; init; }

    /// <summary>Why the short guest did not run; null if it did, or was not tried.</summary>
    public string? RunError { get; init; }

    public int this[KvmCapability capability] => Capabilities.FirstOrDefault(answer => answer.Capability == capability).Value;

    /// <summary>Opens it, asks it everything, and runs a guest of some milliseconds.</summary>
    /// <param name="path">/dev/kvm.</param>
    public static KvmProbe Take(string path)
    {
        DeviceNode? node = Stat(path);
        try
        {
            using KvmSystem kvm = KvmSystem.Open(path);
            (SupervisorTiming? timing, string? error) = Run(kvm);
            return new()
            {
                Node = node,
                Capabilities = [.. Enum.GetValues<KvmCapability>().Select(capability => (capability, kvm.CheckExtension(capability)))],
                Timing = timing,
                RunError = error,
            };
        }
        catch (KvmException e)
        {
            return new() { Node = node, Error = e.Message, OpenErrno = e.Errno };
        }
    }

    private static (SupervisorTiming? Timing, string? Error) Run(KvmSystem kvm)
    {
        try
        {
            return (SupervisorTiming.Take(kvm), null);
        }
        catch (SystemCallException e)
        {
            return (null, e.Message);
        }
        catch (VmmException e)
        {
            return (null, $"{e.Text}");
        }
    }

    private static unsafe DeviceNode? Stat(string path)
    {
        FileCalls.statx_buffer status = default;
        return FileCalls.StatX(-1, path, 0, FileCalls.STATX_BASIC_STATS, &status) == 0
            ? new(status.stx_mode, status.stx_uid, status.stx_gid, status.stx_rdev_major, status.stx_rdev_minor)
            : null;
    }
}
