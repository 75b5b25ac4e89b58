using System.Globalization;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Teaching.Doctor;

namespace MiniVmm.Teaching.Explain;

/// <summary>The making of a machine for people: each call as it is made, with why.</summary>
internal sealed class Transcript
{
    private const int Indent = 4;
    private readonly TextWriter _output;
    private readonly HashSet<uint> _explained = [];
    private string _step = "";
    private int _number;
    private int _mapSize;

    public Transcript(TextWriter output) => _output = output;

    /// <summary>Writes one call, under its step's heading, and the other system calls that belong to it.</summary>
    public void Write(ObservedCall call)
    {
        KvmApi? api = call.Api;
        string step = StepOf(call, api);
        if (step != _step)
        {
            if (_step.Length > 0)
                _output.WriteLine();
            Heading(step);
            _step = step;
        }

        WriteBefore(call);
        TextColumns.Wrap(_output, "", 0, CallText.Of(call), continued: Indent * 2);
        if (call.Request == KvmIoctl.KVM_CHECK_EXTENSION)
            WriteCapability(call);
        else if (api is not null && _explained.Add(call.Request))
            WriteWhy(api.Why, api.Place);
        WriteAfter(call);
    }

    /// <summary>Writes what has come of it: registers, memory, and what happens next.</summary>
    public void WriteEnd(IReadOnlyList<ObservedCall> calls, MachinePlan plan)
    {
        _output.WriteLine();
        Heading("What the guest begins with");
        int vcpus = calls.Count(call => call.Request == KvmIoctl.KVM_CREATE_VCPU && call.Result >= 0);
        for (int i = 0; i < vcpus; i++)
        {
            RegisterImage.Write(_output, calls, i);
            _output.WriteLine();
        }

        Heading("Guest-physical memory");
        MemoryDrawing.Write(_output, plan, calls);
        _output.WriteLine();
        Heading("The guest runs");
        _output.WriteLine("while (ioctl(vcpu0, KVM_RUN, 0) == 0)   // on a thread for each vCPU");
        _output.WriteLine("    switch (run->exit_reason) { case KVM_EXIT_IO: …; case KVM_EXIT_MMIO: …; case KVM_EXIT_SHUTDOWN: …; }");
        WriteWhy("KVM_RUN returns when the guest does what KVM cannot do alone: here the devices are. '--stats' counts these exits.", "api.rst 4.10 and 5");
        _output.WriteLine();
    }

    private string StepOf(ObservedCall call, KvmApi? api) => call switch
    {
        { Request: KvmIoctl.KVM_CHECK_EXTENSION, Target: CallTarget.Vm } when _step != KvmApi.Machine => _step, // of what comes next
        { Request: KvmIoctl.KVM_CHECK_EXTENSION, Target: CallTarget.Vm } => KvmApi.Processor,
        { Target: CallTarget.Vcpu } when api?.Step == KvmApi.Machine => KvmApi.Processors,
        _ => api?.Step ?? "Others",
    };

    private void Heading(string text)
    {
        string line = string.Create(CultureInfo.InvariantCulture, $"== {++_number}. {text} ");
        _output.WriteLine(line.PadRight(TextColumns.Width, '='));
    }

    private void WriteBefore(ObservedCall call)
    {
        if (call.Request == KvmIoctl.KVM_GET_API_VERSION)
        {
            _output.WriteLine("open(\"/dev/kvm\", O_RDWR | O_CLOEXEC) = kvm");
            WriteWhy("Whoever may open this file may make machines; nothing else in KVM asks for privileges.", "api.rst 2");
        }
        else if (call.Request == KvmIoctl.KVM_SET_USER_MEMORY_REGION && call.Read<kvm_userspace_memory_region>(0) is { memory_size: > 0 } region)
        {
            TextColumns.Wrap(_output, "", 0, $"mmap(…) = 0x{region.userspace_addr:x}, {ByteSize.Format(region.memory_size)} of it for slot {region.slot}", continued: Indent * 2);
        }
        else if (call.Request == KvmIoctl.KVM_IRQFD)
        {
            _output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) = {call.Read<uint>(0)}"));
        }
    }

    private void WriteAfter(ObservedCall call)
    {
        if (call.Request == KvmIoctl.KVM_GET_VCPU_MMAP_SIZE)
            _mapSize = call.Result;
        if (call.Request != KvmIoctl.KVM_CREATE_VCPU || call.Result < 0)
            return;
        _output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"mmap(0, {_mapSize}, PROT_READ | PROT_WRITE, MAP_SHARED, {call.Result}, 0) = run"));
        if (_explained.Add(KvmIoctl.KVM_RUN))
            WriteWhy("The pages shared with KVM: struct kvm_run, the data of port accesses, the ring of collected writes.", "api.rst 5");
    }

    private void WriteCapability(ObservedCall call)
    {
        if (_explained.Add(call.Request))
            WriteWhy(call.Api!.Why, call.Api.Place);
        string? purpose = CapabilityPurpose.All.FirstOrDefault(known => known.Capability == (KvmCapability)call.Argument)?.Purpose;
        if (purpose is not null)
            TextColumns.Wrap(_output, "", Indent, purpose);
    }

    private void WriteWhy(string why, string place) => TextColumns.Wrap(_output, "", Indent, $"{why} [{place.Replace(' ', TextColumns.Joint)}]");
}
