namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>The host's side of a fuzzed device: what happens there, and what the device must not ask of it.</summary>
public sealed class FuzzHost(FuzzInput input, FuzzMemory memory)
{
    public FuzzInput Input => input;

    public TestMemory Ram => memory.Ram;

    /// <summary>What was negotiated last.</summary>
    public ulong Features { get; set; }

    /// <summary>Something comes from the host: a frame, typed text, a wish of the user's.</summary>
    public Action Stir { get; set; } = () => { };

    /// <summary>The host takes whatever the device has for it.</summary>
    public Action Relax { get; set; } = () => { };

    /// <summary>Nobody needs the host's side any more.</summary>
    public Action Unplug { get; set; } = () => { };

    /// <summary>Whether the device may keep chains of a queue though all is done: asked at the end.</summary>
    public Func<int, bool> MayKeep { get; set; } = _ => true;

    /// <summary>For the host to call while the device is at a request: the driver's other processors run on.</summary>
    public Action Meanwhile { get; set; } = () => { };

    /// <summary>For the host to call with what it is given: whether the guest parts with that now.</summary>
    public Func<nint, ulong, bool> IsParted { get; set; } = (_, _) => true;

    /// <summary>The first thing that the device asked and must not have.</summary>
    public string? Wrong { get; private set; }

    /// <summary>Not an exception: a device that takes those from its host would hide it.</summary>
    public void Fail(string what) => Wrong ??= what;
}
