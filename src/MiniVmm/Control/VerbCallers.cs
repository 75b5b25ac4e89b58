using static Tmds.Linux.LibC;

namespace MiniVmm.Control;

/// <summary>Which users at the other end of the socket may use a verb (SO_PEERCRED).</summary>
internal sealed class VerbCallers
{
    private readonly Func<uint, bool> _include;

    private VerbCallers(string description, Func<uint, bool> include)
    {
        Description = description;
        _include = include;
    }

    /// <summary>The user that the machine runs as, and root.</summary>
    public static VerbCallers MachineUser { get; } =
        new("the machine's own user and root", uid => uid == 0 || uid == (uint)geteuid());

    /// <summary>As in "stop is for … only".</summary>
    public string Description { get; }

    public bool Include(uint uid) => _include(uid);
}
