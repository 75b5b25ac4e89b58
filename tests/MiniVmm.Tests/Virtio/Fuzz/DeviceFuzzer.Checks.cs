using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>What is looked at while a device is fuzzed.</summary>
public sealed partial class DeviceFuzzer
{
    private void AccessConfiguration()
    {
        int length = _input.Pick(1, 2, 4, 8);
        ulong offset = 0x100 + (ulong)(_input.Chance(16) ? _input.Below(0xf00 - length) : _input.Below(80));
        if (_input.Chance(160))
        {
            ReadWhole(offset, length);
            return;
        }

        Span<byte> data = stackalloc byte[length];
        foreach (ref byte each in data)
            each = _input.Byte();
        _driver.Registers.Write(offset, data);
        Settle();
    }

    private void ReadSomething()
    {
        int length = _input.Pick(4, 4, 1, 2, 8);
        ulong offset = (ulong)_input.Below(0x108);
        ReadWhole(length == 4 ? offset & ~3UL : offset, length);
    }

    /// <summary>Twice: bytes that stay as they were would be the host's.</summary>
    private void ReadWhole(ulong offset, int length)
    {
        Span<byte> first = stackalloc byte[length];
        Span<byte> second = stackalloc byte[length];
        first.Fill(0xcc);
        second.Fill(0x33);
        _driver.Registers.Read(offset, first);
        _driver.Registers.Read(offset, second);
        if (!first.SequenceEqual(second))
            throw new FuzzException($"{length} bytes read at 0x{offset:x} are not all written");
    }

    private void Acknowledge(byte causes)
    {
        uint before = _driver.InterruptStatus;
        Write(0x64, causes);
        if (_driver.InterruptStatus != (before & ~(uint)causes))
            throw new FuzzException($"0x{causes:x} of interrupt status 0x{before:x} is not gone, or more is");
    }

    /// <summary>The host's side does something; a changed configuration has another generation (4.2.2.1).</summary>
    private void Stir()
    {
        Span<byte> before = stackalloc byte[64];
        Span<byte> after = stackalloc byte[64];
        _driver.Registers.Read(0x100, before);
        uint generation = _driver.ConfigurationGeneration;
        Settle(_host.Stir);
        _driver.Registers.Read(0x100, after);
        bool runs = (_driver.Status & (VirtioStatus.DriverOk | VirtioStatus.NeedsReset)) == VirtioStatus.DriverOk;
        if (runs && !before.SequenceEqual(after) && generation == _driver.ConfigurationGeneration)
            throw new FuzzException("the configuration changed, and its generation did not");
    }

    /// <summary>
    /// Has the device do all it can, told only of what it asked to be told of: then nothing is left that can be done.
    /// </summary>
    private void Finish()
    {
        const VirtioStatus Runs = VirtioStatus.DriverOk;
        if ((_driver.Status & (Runs | VirtioStatus.NeedsReset)) != Runs)
            return;
        for (int i = 0; i < _queues.Length; i++)
        {
            if (_queues[i].IsOwedKick)
                _driver.Threads.Ring(i);
            _queues[i].IsOwedKick = false;
        }

        Settle(() => _driver.Threads.Run());
        int events = 1;
        for (int rounds = 0; events > 0 && rounds < 10_000; rounds++)
        {
            events = 0;
            Settle(() =>
            {
                _host.Relax();
                foreach (FakeLoop loop in _driver.Threads.Loops)
                    events += loop.Elapse() + loop.Poll(0);
            });
        }

        if (_tangled || _driver.Status.HasFlag(VirtioStatus.NeedsReset))
            return;
        for (int i = 0; i < _queues.Length; i++)
        {
            if (_queues[i].IsLive && !_queues[i].IsDone() && !_host.MayKeep(i))
                throw new FuzzException($"the device sleeps, and there are chains in queue {i}");
        }
    }

    /// <summary>Another device goes on in the state of this one, in the middle of whatever there is.</summary>
    private void HandOver()
    {
        Settle();
        byte[] seen = Look();
        InterruptCauses causes = _driver.Transport.InterruptCauses;
        _driver.HandOver(_plug);

        // What the host's side tells anew comes on top.
        if (!Look().SequenceEqual(seen) || (~_driver.Transport.InterruptCauses & causes) != 0)
            throw new FuzzException("a device that took over shows its driver something else");
        Settle(() => _driver.Threads.Run());
    }

    /// <summary>All registers that can be read without a change, and the configuration.</summary>
    private byte[] Look()
    {
        byte[] seen = new byte[0x140];
        for (int at = 0; at < seen.Length; at += sizeof(uint))
            _driver.Registers.Read((ulong)at, seen.AsSpan(at, sizeof(uint)));
        seen.AsSpan(0x60, sizeof(uint)).Clear(); // interrupt status
        seen.AsSpan(0xfc, sizeof(uint)).Clear(); // generation
        seen.AsSpan(0x100)[_target.HostsConfiguration].Clear();
        return seen;
    }

    private void SeeStatus(bool ran)
    {
        VirtioStatus status = _driver.Status;
        if (status == VirtioStatus.None)
        {
            // The last writes that were allowed came before the reset was done.
            Check();
            if (_driver.InterruptStatus != 0)
                throw new FuzzException("an interrupt's cause survives a reset");
            _select = 0;
            _tangled = false;
            foreach (FuzzRing queue in _queues)
                queue.Reset();
            _memory.Forbid();
            return;
        }

        if (ran || !status.HasFlag(VirtioStatus.DriverOk))
            return;
        if (!status.HasFlag(VirtioStatus.FeaturesOk))
            throw new FuzzException("the device starts though no features were agreed on");
        bool canStart = _queues.All(queue => !queue.IsReady || queue.CanBegin());
        if (canStart == status.HasFlag(VirtioStatus.NeedsReset))
            throw new FuzzException(canStart ? "the device does not start" : "the device starts with a bad queue");
        if (!canStart)
            return;
        _counts.Starts++;
        foreach (FuzzRing queue in _queues)
        {
            if (queue.IsReady)
                queue.Begin(_features);
        }

        FuzzRing[] live = [.. _queues.Where(queue => queue.IsLive)];
        _tangled = live.Any(one => live.Any(
            other => one != other && one.Used < other.Used + QueueRoom && other.Used < one.Used + QueueRoom
                && (one.Used == other.Used || one.Used % QueueRoom != 0x140 || other.Used % QueueRoom != 0x140)));
    }

    /// <summary>Lets the device run, and looks at what it did.</summary>
    private void Settle(Action? run = null)
    {
        string? mistake = null;
        if (_driver.Status.HasFlag(VirtioStatus.DriverOk))
        {
            _memory.Forbid();
            for (int i = 0; i < _queues.Length; i++)
            {
                if (!_queues[i].IsLive)
                    continue;
                _queues[i].Mark(i % 2 == 0 ? _target.LeastReceived : 0);
                mistake ??= _queues[i].Mistake;
            }

            _tangled |= _memory.IsTangled() || _queues.Any(queue => queue.IsLost);
        }

        bool broken = _driver.Status.HasFlag(VirtioStatus.NeedsReset);
        run?.Invoke();
        if (!broken && _driver.Status.HasFlag(VirtioStatus.NeedsReset))
        {
            _counts.Broken++;
            if (mistake is null && !_tangled)
                throw new FuzzException("the device wants a reset, and the driver made no mistake");
        }

        Check();
    }

    /// <summary>Rings first: what a device's workers write after that is in chains they still have.</summary>
    private void Check()
    {
        string? wrong = _host.Wrong;
        long completed = 0;
        bool owed = false;
        foreach (FuzzRing queue in _queues)
        {
            if (!queue.IsLive)
                continue;
            if (_tangled)
                queue.Forget();
            else
                wrong ??= queue.Reap(_target.MostStatus, ref completed);
            owed |= queue.IsOwedInterrupt;
            queue.IsOwedInterrupt = false;
        }

        _counts.Completed += completed;
        wrong = _memory.Compare(_tangled) ?? wrong;
        if (owed && !_tangled && (_driver.Line.Count == _edges || (_driver.InterruptStatus & 1) == 0))
            wrong ??= "the driver asked for an interrupt and got none";
        _edges = _driver.Line.Count;
        if (wrong is not null)
            throw new FuzzException(wrong);
    }

    /// <summary>Another processor of the guest's changes a request that the device is at, or one that waits.</summary>
    private void ChangeMind()
    {
        if (!_input.Chance(32))
            return;
        ulong address = _input.Pick(_headers) + _input.Pick(0ul, 8ul, 16ul, 32ul);
        if (_memory.IsPlain(address, sizeof(uint)))
            _memory.Write(address, [0xff, 0xff, 0x0f, 0x00]);
    }

    private bool IsParted(nint host, ulong length)
    {
        if (_memory.Find(host, length) is not { } address)
            return false;
        return _tangled || _queues[0].Names(address / 4096) || _queues[2..].Any(queue => queue.Offers(address, length));
    }
}
