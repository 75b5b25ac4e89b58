using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Explain;

/// <summary>Watches the ioctls of this process until it is disposed of, and tells files apart by what made them.</summary>
internal sealed unsafe class CallRecorder : IDisposable
{
    private const int SizeShift = 16;
    private const uint SizeMask = 0x3FFF;
    private const int MostElements = 4096; // of a list: what is more is no list of KVM's

    private readonly Lock _lock = new();
    private readonly Action<ObservedCall> _made;
    private readonly Dictionary<int, int> _vcpus = [];
    private readonly List<ObservedCall> _calls = [];
    private int _kvm = -1;
    private int _vm = -1;

    /// <summary>Begins.</summary>
    /// <param name="made">Gets each call at once, one at a time.</param>
    public CallRecorder(Action<ObservedCall> made)
    {
        _made = made;
        KvmCall.Observer = Record;
    }

    /// <summary>All calls so far.</summary>
    public IReadOnlyList<ObservedCall> Calls => _calls;

    public void Dispose() => KvmCall.Observer = null;

    private void Record(int fd, uint request, nuint argument, int result)
    {
        lock (_lock)
        {
            if (request == KvmIoctl.KVM_GET_API_VERSION)
                _kvm = fd;
            (CallTarget target, int vcpu) = fd == _kvm ? (CallTarget.Kvm, 0)
                : fd == _vm ? (CallTarget.Vm, 0)
                : _vcpus.TryGetValue(fd, out int index) ? (CallTarget.Vcpu, index)
                : (CallTarget.Other, 0);
            if (result >= 0 && request == KvmIoctl.KVM_CREATE_VM)
                _vm = result;
            if (result >= 0 && request == KvmIoctl.KVM_CREATE_VCPU)
            {
                vcpu = _vcpus.Count;
                _vcpus[result] = vcpu;
            }

            ObservedCall call = new(target, vcpu, request, argument, Block(request, argument), result);
            _calls.Add(call);
            _made(call);
        }
    }

    private static byte[] Block(uint request, nuint argument)
    {
        int size = (int)(request >> SizeShift & SizeMask);
        if (size == 0 || argument == 0)
            return [];
        if (KvmApi.Find(request)?.Structure.List is { } list)
            size += Math.Min(*(int*)argument, MostElements) * list.Size;
        return new ReadOnlySpan<byte>((void*)argument, size).ToArray();
    }
}
