using MiniVmm.Machine;

namespace MiniVmm.Testing;

/// <summary>How a machine ended, and what there is to say of it.</summary>
/// <param name="End">How.</param>
/// <param name="Screen">The text screen, where some of it was printed nowhere else.</param>
/// <param name="Remarks">What was not as it was asked for, and MiniVmm's report of the end: lines.</param>
internal sealed record MachineEnd(TestEnd End, IReadOnlyList<string> Screen, IReadOnlyList<OptionMessage> Remarks);

/// <summary>Runs the machines of tests; a test's of this interface need no KVM.</summary>
internal interface ITestMachines
{
    /// <summary>Runs a machine to its end.</summary>
    /// <param name="options">The machine.</param>
    /// <param name="timeout">Its longest run.</param>
    /// <param name="read">Takes what the guest prints, on one thread at a time; true has the machine ended.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="BadInputException">No machine can be made of the options.</exception>
    /// <exception cref="HostLimitException">The host cannot.</exception>
    /// <exception cref="Host.SystemCallException">The host refused something; a <see cref="Kvm.KvmException"/> is one too.</exception>
    Task<MachineEnd> RunAsync(MachineOptions options, TimeSpan timeout, ConsoleReader read, CancellationToken cancellation);
}

/// <summary>Takes the next bytes of a console.</summary>
/// <returns>Whether the machine has done what it was to do.</returns>
internal delegate bool ConsoleReader(ReadOnlySpan<byte> text);
