using MiniVmm.Machine;

namespace MiniVmm.Teaching.Explain;

/// <summary>What <c>--explain</c> writes.</summary>
internal enum ExplanationForm
{
    /// <summary>A transcript for people, as the machine is made.</summary>
    Text,

    /// <summary>One JSON object.</summary>
    Json,

    /// <summary>A C program that makes the same machine.</summary>
    C,
}

/// <summary>Watches a machine being made, from its plan to the last call before it runs.</summary>
/// <param name="form">What to write of it.</param>
/// <param name="timeout">The machine's longest run; null for ever.</param>
/// <param name="output">Where to.</param>
/// <param name="json">Has JSON written there.</param>
internal sealed class Explanation(
    ExplanationForm form, TimeSpan? timeout, TextWriter output, Action<Action<System.Text.Json.Utf8JsonWriter>> json) : IDisposable
{
    private readonly Transcript _transcript = new(output);
    private MachinePlan? _plan;
    private CallRecorder? _recorder;

    /// <summary>Whether the machine is to run afterwards.</summary>
    public bool Runs => form == ExplanationForm.Text;

    /// <summary>The machine is worked out, and about to be made.</summary>
    /// <exception cref="BadInputException">It cannot be written in the form that is wanted.</exception>
    public void Begin(MachinePlan plan)
    {
        if (form == ExplanationForm.C && MissingDevice.Of(plan.Options) is { } problem)
            throw new BadInputException($"--explain=c: {problem}");
        _plan = plan;
        _recorder = new CallRecorder(form == ExplanationForm.Text ? _transcript.Write : _ => { });
    }

    /// <summary>The machine is made, and has not run.</summary>
    public void End(VirtualMachine machine)
    {
        if (_recorder is not { } recorder || _plan is not { } plan)
            return;
        recorder.Dispose();
        if (form == ExplanationForm.Json)
            json(writer => TranscriptJson.Write(writer, recorder.Calls, plan));
        else if (form == ExplanationForm.C)
            output.Write(new CProgram(recorder.Calls, plan, machine.Memory, timeout).Write());
        else
            _transcript.WriteEnd(recorder.Calls, plan);
    }

    public void Dispose() => _recorder?.Dispose();
}
