using MiniVmm.Configuration;
using MiniVmm.Machine;
using MiniVmm.Terminal;

namespace MiniVmm.Hosting;

/// <summary>
/// A machine that a host runs, and how. In a configuration all of it is under <c>VirtualMachines:NAME</c>: the machine's
/// own options by their <see cref="OptionName"/>, with the values that a command line takes, and those of this class by
/// their names, with times in seconds.
/// </summary>
public sealed class VirtualMachineOptions
{
    private readonly List<string> _problems = [];

    /// <summary>The machine. Its name is the service's unless another is given.</summary>
    public MachineOptions Machine { get; set; } = new() { Kernel = "", Console = ConsoleKind.None };

    /// <summary>
    /// Logs what the guest prints, a line an entry; on unless the configuration names another console. Without effect
    /// where <see cref="MachineOptions.Console"/> is something else than none.
    /// </summary>
    public bool LogConsole { get; set; } = true;

    /// <summary>The longest run, or null for none. One that it ends has failed.</summary>
    public TimeSpan? Timeout { get; set; }

    /// <summary>Whether a machine that ended by itself is started again: never, on-failure or always.</summary>
    public RestartPolicy Restart { get; set; }

    /// <summary>How long the first restart waits, more than 0; each further one waits twice as long.</summary>
    public TimeSpan RestartDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest that a restart waits, not less than <see cref="RestartDelay"/>.</summary>
    public TimeSpan MaxRestartDelay { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>After a run of this length the next restart waits for <see cref="RestartDelay"/> again.</summary>
    public TimeSpan StableAfter { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a guest may take to shut down after its power button was pressed, until it is stopped.</summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a vCPU may neither exit nor halt until the health check calls the guest hung; more than 0.</summary>
    public TimeSpan HungAfter { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>What of a configuration could not be understood, each in a line that names its key.</summary>
    internal IReadOnlyList<string> Problems => _problems;

    /// <summary>Sets an option of the machine by the text that a command line takes for it.</summary>
    /// <param name="name">Which; one that may be repeated is added to.</param>
    /// <param name="text">"on" or "off" for a switch.</param>
    /// <exception cref="BadInputException">It cannot be understood.</exception>
    public void Set(OptionName name, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (name == OptionName.Timeout)
            Timeout = SecondsText.Parse(text, name);
        else if (name != OptionName.Console)
            Machine = Machine.With(name, text);
        else if (text == "log")
            (Machine, LogConsole) = (Machine.With(name, "none"), true);
        else
            (Machine, LogConsole) = (Machine.With(name, text), false);
    }

    internal void AddProblem(string problem) => _problems.Add(problem);
}
