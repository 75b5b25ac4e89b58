using MiniVmm.Control;
using MiniVmm.Cpu;
using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>
/// A machine's vCPUs: those that it starts with, and where there is room for more, those that come and go. One that comes for
/// the first time is made then; KVM takes none back, so one that goes is parked, and comes again as good as new. Calls come
/// from one thread at a time.
/// </summary>
internal sealed class Processors : ISuspendable
{
    private const uint MtrrDefaultType = 0x2ff;
    private const ulong MtrrEnabledWriteBack = 0xc06; // fixed and variable ranges on, default write-back

    /// <summary>How long a vCPU that was ejected may still be in a device.</summary>
    private static readonly TimeSpan LongestExit = TimeSpan.FromSeconds(2);

    private readonly KvmSystem _kvm;
    private readonly MachineCore _core;
    private readonly MachineOptions _options;
    private readonly CpuHotPlug? _registers;
    private readonly Action<KvmVcpu, int>? _setUp; // null where no vCPU comes later
    private int _wanted;

    /// <summary>Makes the vCPUs that the machine starts with.</summary>
    /// <param name="kvm">Says which registers there are.</param>
    /// <param name="core">Gets the vCPUs.</param>
    /// <param name="options">How many, and how they are arranged.</param>
    /// <param name="setUp">Makes a vCPU, of that index, one of the guest's processors; before it first runs.</param>
    /// <param name="registers">By which the guest knows of those that come and go; null where none do.</param>
    /// <exception cref="KvmException">KVM refused something.</exception>
    public Processors(
        KvmSystem kvm, MachineCore core, MachineOptions options, Action<KvmVcpu, int> setUp, CpuHotPlug? registers)
    {
        _kvm = kvm;
        _core = core;
        _options = options;
        _registers = registers;
        _wanted = Topology.Count;
        if (registers is not null)
            _setUp = setUp;
        for (int i = 0; i < Topology.Count; i++)
            SetUp(Make(), setUp);
    }

    /// <summary>Gets each vCPU that is made while the machine runs, before it first runs itself.</summary>
    public Action<VcpuThread>? Made { get; set; }

    public string StateName => "processors";

    public ushort StateVersion => 1;

    public bool CanChange => _registers is not null;

    public CpusState State
    {
        get
        {
            int present = 0, pending = 0, leaving = 0;
            List<CpuRefusal> refusals = [];
            for (int i = 0; i < _core.Vcpus.Count; i++)
            {
                bool isPresent = !_core.Vcpus[i].IsParked;
                CpuRequestState request = _registers?[i] ?? default;
                if (isPresent)
                    present++;
                if (request.Pending != CpuRequest.None && isPresent)
                    pending++;
                else if (request is { Pending: CpuRequest.Eject, Announced: true })
                    leaving++;

                // What was refused once and is not asked for any more is no news.
                bool isWanted = i < _wanted;
                if (isPresent && request.Refused == (isWanted ? CpuRequest.Insert : CpuRequest.Eject))
                    refusals.Add(new(i, isWanted, request.Status));
            }

            return new(_wanted, present, Topology.MaxCpus, pending, leaving, refusals);
        }
    }

    private CpuTopology Topology => _options.Topology;

    /// <summary>The vCPUs that are in the machine.</summary>
    public IEnumerable<VcpuThread> Present => _core.Vcpus.Where(vcpu => !vcpu.IsParked);

    /// <summary>
    /// Puts the first so many vCPUs in, and asks the guest to give up the others; again, where it has not before.
    /// </summary>
    /// <exception cref="BadInputException">The machine cannot have so many.</exception>
    /// <exception cref="HostLimitException">The host has no thread for one, or a device holds one up.</exception>
    /// <exception cref="KvmException">KVM has none to give.</exception>
    public void Set(int count)
    {
        if (_registers is null)
        {
            throw new BadInputException(
                $"the machine keeps the {Topology.Count} vCPUs that it started with; start it with room for more, as in "
                + $"{OptionName.Smp.With($"{Topology.Count},maxcpus={Topology.Count + 2}")}");
        }

        if (count < 1 || count > Topology.MaxCpus)
            throw new BadInputException($"{count} vCPUs: this machine can have 1 to {Topology.MaxCpus}");
        _wanted = count;
        for (int i = 1; i < count; i++)
        {
            if (i < _core.Vcpus.Count && !_core.Vcpus[i].IsParked)
            {
                _registers.Keep(i);
                continue;
            }

            PutIn(i);
            _registers.RequestInsertion(i);
        }

        // The last first, as a guest numbers them.
        for (int i = _core.Vcpus.Count - 1; i >= count; i--)
        {
            if (!_core.Vcpus[i].IsParked && !_registers.RequestEjection(i))
                _core.Vcpus[i].Park();
        }
    }

    public void Save(StateWriter writer)
    {
        writer.WriteUInt16((ushort)_wanted);
        writer.WriteUInt16((ushort)Topology.MaxCpus);
        for (int i = 0; i < Topology.MaxCpus; i++)
            writer.WriteBool(i < _core.Vcpus.Count && !_core.Vcpus[i].IsParked);
    }

    public void Restore(StateReader reader)
    {
        int wanted = reader.ReadUInt16();
        int places = reader.ReadUInt16();
        reader.Check(places == Topology.MaxCpus, $"room for {places} processors, and here it is for {Topology.MaxCpus}");
        reader.Check(wanted >= 1 && wanted <= places, $"{wanted} processors where {places} can be");
        _wanted = wanted;
        for (int i = 0; i < places; i++)
        {
            bool isPresent = reader.ReadBool();
            reader.Check(i > 0 || isPresent, "no boot processor");
            if (isPresent)
                PutIn(i);
            else if (i < _core.Vcpus.Count)
                _core.Vcpus[i].Park();
        }
    }

    private void PutIn(int index)
    {
        while (_core.Vcpus.Count <= index)
            Make().Park();
        VcpuThread vcpu = _core.Vcpus[index];
        if (index > 0 && vcpu.Reset is null)
        {
            SetUp(vcpu, _setUp!);
            Made?.Invoke(vcpu);
        }

        _core.Vcpus.CatchUp(vcpu);
        if (!vcpu.Unpark(LongestExit))
            throw new HostLimitException($"vCPU {index} was ejected, and is still held up by a device; try again");
    }

    /// <summary>Makes the next vCPU.</summary>
    private VcpuThread Make()
    {
        int index = _core.Vcpus.Count;
        int? pin = _options.Pin.Count > 0 ? _options.Pin[index] : null;
        return _core.AddVcpu(Topology.ApicId(index), pin, _options.Timed, _options.Assists);
    }

    private void SetUp(VcpuThread thread, Action<KvmVcpu, int> setUp)
    {
        setUp(thread.Vcpu, thread.Index);

        // As firmware leaves it, where there is none: without this Linux finds the MTRRs off and does not trust PAT either.
        if (_options.Firmware is null)
            thread.Vcpu.SetMsrs([new kvm_msr_entry { index = MtrrDefaultType, data = MtrrEnabledWriteBack }]);
        if (_registers is not null && thread.Index > 0)
            thread.Reset = new VcpuRegisters(_kvm, _core.Vm, thread).Remember();
    }
}
