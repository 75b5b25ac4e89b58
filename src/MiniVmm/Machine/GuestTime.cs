using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>
/// The guest's time while it is paused: its kvmclock stands still, and the 8254 saves up no ticks, of which a guest would
/// otherwise get thousands at once. The time-stamp counter runs on; a guest that counts by it alone sees the time that passed.
/// </summary>
/// <param name="vm">Its VM, with an 8254.</param>
internal sealed class GuestTime(KvmVm vm) : ISuspendable
{
    private const int Channels = 3;
    private const uint MostCount = 0x1_0000;
    private const byte MostMode = 5;
    private const byte Unset = 0xff; // before its first control word
    private const uint KnownFlags = KvmConstants.KVM_PIT_FLAGS_HPET_LEGACY | KvmConstants.KVM_PIT_FLAGS_SPEAKER_DATA_ON;

    private kvm_clock_data _clock;
    private kvm_pit_state2 _timer;
    private bool _stands;

    public string StateName => "guest-time";

    public ushort StateVersion => 1;

    /// <summary>Notes the time, where it does not stand still already; no vCPU is in the guest.</summary>
    /// <exception cref="KvmException">KVM does not say.</exception>
    public void Stop()
    {
        if (_stands)
            return;
        _clock = vm.GetClock();
        _timer = vm.GetPit2();
        _stands = true;
    }

    /// <summary>Goes on from the time at which it stands, if it does; no vCPU is in the guest yet.</summary>
    /// <exception cref="KvmException">KVM refused.</exception>
    public void GoOn(IEnumerable<VcpuThread> vcpus)
    {
        if (!_stands)
            return;
        _clock.flags = 0; // as it stood, not as it would be now
        vm.SetClock(_clock);
        vm.SetPit2(_timer);
        foreach (VcpuThread vcpu in vcpus)
            _ = vcpu.Vcpu.TryReportPause();
        _stands = false;
    }

    public void Save(StateWriter writer)
    {
        Stop();
        writer.WriteUInt64(_clock.clock);
        writer.WriteUInt32(_timer.flags);
        for (int i = 0; i < Channels; i++)
        {
            // The host's time at which it was loaded means nothing later: KVM has a channel begin anew.
            writer.WriteStructure(_timer.Channel(i) with { count_load_time = 0 });
        }
    }

    /// <inheritdoc/>
    /// <remarks>KVM gets it when the guest goes on.</remarks>
    public void Restore(StateReader reader)
    {
        _clock = new kvm_clock_data { clock = reader.ReadUInt64() };
        _timer = new kvm_pit_state2 { flags = reader.ReadUInt32() };
        reader.Check((_timer.flags & ~KnownFlags) == 0, $"8254 flags 0x{_timer.flags:x}");
        for (int i = 0; i < Channels; i++)
        {
            kvm_pit_channel_state channel = reader.ReadStructure<kvm_pit_channel_state>();
            reader.Check(channel.count <= MostCount, $"a count of {channel.count} in channel {i} of the 8254");
            reader.Check(channel.mode is <= MostMode or Unset, $"mode {channel.mode} of channel {i} of the 8254");
            _timer.Channel(i) = channel;
        }

        _stands = true;
    }
}
