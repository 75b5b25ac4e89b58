using Microsoft.Extensions.Options;
using MiniVmm.Control;
using MiniVmm.Machine;

namespace MiniVmm.Hosting;

/// <summary>
/// Checks a machine's options before any machine of the host starts: each alone, and all of them against each other and
/// the files that they name.
/// </summary>
/// <param name="machine">The service's name.</param>
internal sealed class MachineOptionsValidator(string machine) : IValidateOptions<VirtualMachineOptions>
{
    public ValidateOptionsResult Validate(string? name, VirtualMachineOptions options)
    {
        if (name != machine)
            return ValidateOptionsResult.Skip;
        List<string> problems = [.. options.Problems];
        CheckTimes(options, problems);
        if (options.Machine is { Kernel.Length: 0, Firmware: null } && options.Problems.Count == 0)
            problems.Add($"{Key(nameof(OptionName.Kernel))}: no kernel given");
        if (problems.Count == 0)
            CheckPlan(options.Machine, problems);
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private void CheckTimes(VirtualMachineOptions options, List<string> problems)
    {
        if (options.RestartDelay <= TimeSpan.Zero)
            problems.Add($"{Key(nameof(options.RestartDelay))}: must be more than 0");
        if (options.MaxRestartDelay < options.RestartDelay)
            problems.Add($"{Key(nameof(options.MaxRestartDelay))}: is less than {nameof(options.RestartDelay)}");
        if (options.StableAfter <= TimeSpan.Zero)
            problems.Add($"{Key(nameof(options.StableAfter))}: must be more than 0");
        if (options.Patience < TimeSpan.Zero)
            problems.Add($"{Key(nameof(options.Patience))}: must not be less than 0");
        if (options.HungAfter <= TimeSpan.Zero)
            problems.Add($"{Key(nameof(options.HungAfter))}: must be more than 0");
        if (options.Timeout <= TimeSpan.Zero)
            problems.Add($"{Key(nameof(options.Timeout))}: must be more than 0");
    }

    private void CheckPlan(MachineOptions options, List<string> problems)
    {
        try
        {
            if (options.Name is { } name)
                MachineName.Check(name);
            MachinePlan.Create(options).Dispose();
        }
        catch (VmmException e)
        {
            problems.Add(e.Text.Spelled(MachineConfiguration.SpellingFor(machine)));
        }
    }

    private string Key(string option) => $"{MachineConfiguration.Root}:{machine}:{option}";
}
