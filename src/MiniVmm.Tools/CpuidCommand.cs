using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;
using MiniVmm.Configuration;
using MiniVmm.Machine;
using MiniVmm.Teaching.Cpuid;

namespace MiniVmm.Tools;

/// <summary><c>minivmm cpuid</c>: what a guest sees in CPUID, beside what KVM offers and what the host has.</summary>
internal sealed class CpuidCommand : DocumentedCommand
{
    private readonly Option<string?> _cpu = new("--cpu")
    {
        HelpName = "MODEL[,+feature][,-feature][,property=value]",
        Description = "CPU model, as in 'minivmm run'; host if left out",
    };
    private readonly Option<string?> _smp = new("--smp")
    {
        HelpName = "N[,maxcpus=M][,sockets=S][,cores=C][,threads=T]",
        Description = "vCPUs and their topology; 1 if left out",
    };
    private readonly Option<bool> _json = new("--json") { Description = "Write JSON instead of text" };

    public CpuidCommand()
        : base("cpuid", "Show the CPUID that a guest sees, decoded, beside KVM's and this host's")
    {
        Group("Processors", "minivmm cpuid --cpu EPYC,-avx2 --smp 4,cores=2,threads=2", _cpu, _smp);
        Group("Output", "minivmm cpuid --json", _json);
        SetAction(Run);
    }

    private int Run(ParseResult line)
    {
        if (line.GetValue(_cpu) is "help" or "?")
            return CpuModelList.Print();
        MachineOptions options = new();
        if (line.GetValue(_smp) is { } smp)
            options = options.With(OptionName.Smp, smp);
        if (line.GetValue(_cpu) is { } cpu)
            options = options.With(OptionName.Cpu, cpu);
        CpuidComparison comparison = CpuidComparison.Make(options.Cpu, options.Topology);
        foreach (OptionMessage warning in comparison.Warnings)
            Messages.Warning(warning);
        if (line.GetValue(_json))
            Answers.WriteJson(writer => CpuidJson.Write(writer, comparison));
        else
            CpuidText.Write(Standard.Output, comparison);
        return ExitStatus.Success;
    }
}
